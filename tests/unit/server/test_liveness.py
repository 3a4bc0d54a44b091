"""A liveness test from end to end, in memory."""

import pytest

from headrace.base.rng import SeededRng
from headrace.client.liveness import LivenessClient
from headrace.server.liveness import LivenessEndpoint, parse_liveness
from headrace.ssh.channel import Channel
from headrace.ssh.forwarding import LIVENESS
from headrace.ssh.liveness import LivenessRequest
from headrace.testing.peers import SshPair


class Run:
    """One test over a pair; `results` is what the client was told."""

    def __init__(self, request: LivenessRequest, *, refuse: bool = False, cheat: int = 0) -> None:
        self.results: list[bool] = []
        self._refuse, self._cheat = refuse, cheat
        self.pair = SshPair(accept=self._accept).start()
        self.pair.run()
        assert self.pair.client.connection is not None
        self.client = LivenessClient(request, SeededRng(1), self.results.append)
        self.pair.client.connection.open(LIVENESS, request.encode(), self.client)
        self.pair.run()

    def _accept(self, channel: Channel, kind: bytes, extra: memoryview) -> None:
        if self._refuse:
            channel.refuse(1, "")
            return
        request = parse_liveness(bytes(extra))
        self.server = LivenessEndpoint(LivenessRequest(request.up, request.down - self._cheat), SeededRng(2))
        channel.accept(self.server)
        self.server.opened(channel)


@pytest.mark.parametrize(
    ("up", "down"), [(0, 0), (1554, 1005), (0, 100_000), (100_000, 0), (3_000_000, 3_000_000)]
)
def test_everything_arrives(up: int, down: int) -> None:
    test = Run(LivenessRequest(up, down))
    assert test.results == [True]
    assert (test.client.sent, test.client.received) == (up, down)
    assert (test.server.sent, test.server.received) == (down, up)
    assert not test.pair.client.connection.channels  # type: ignore[union-attr]
    assert not test.pair.server.connection.channels  # type: ignore[union-attr]


def test_a_refusal_is_a_failure() -> None:
    assert Run(LivenessRequest(1, 1), refuse=True).results == [False]


def test_a_server_that_sends_too_little_fails() -> None:
    assert Run(LivenessRequest(10, 10), cheat=1).results == [False]


def test_a_lost_connection_fails() -> None:
    test = Run(LivenessRequest(0, 0))
    results: list[bool] = []
    client = LivenessClient(LivenessRequest(0, 1), SeededRng(1), results.append)
    connection = test.pair.client.connection
    assert connection is not None
    connection.open(LIVENESS, b'{"d":1}', client)
    connection.lost(None)
    assert results == [False]
