"""Liveness tests: the request, and an end of the exchange alone with a channel of known room."""

import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.ssh.channel import Channel
from headrace.ssh.liveness import MAX_BYTES, LivenessRequest, RandomExchange, parse_liveness
from headrace.testing.peers import RecordingEndpoint, SshPair


@pytest.mark.parametrize(
    ("extra", "request_"),
    [
        (b'{"u":1554,"d":1005}', LivenessRequest(1554, 1005)),
        (b'{"d":1005}', LivenessRequest(0, 1005)),
        (b"{}", LivenessRequest(0, 0)),
        (b' {"u": 1, "later": [1, {}]} ', LivenessRequest(1, 0)),
        (b'{"u":10485760,"d":10485760}', LivenessRequest(MAX_BYTES, MAX_BYTES)),
    ],
)
def test_requests(extra: bytes, request_: LivenessRequest) -> None:
    assert parse_liveness(extra) == request_
    assert parse_liveness(request_.encode()) == request_


def test_zeros_are_left_out() -> None:
    assert LivenessRequest(up=1554, down=1005).encode() == b'{"u":1554,"d":1005}'
    assert LivenessRequest(down=1005).encode() == b'{"d":1005}'


@pytest.mark.parametrize(
    "extra",
    [
        b"",
        b"[]",
        b"{",
        b'{"u":"1"}',
        b'{"u":-1}',
        b'{"u":1.5}',
        b'{"u":true}',
        b'{"u":10485761}',
        b'{"d":10485761}',
        b'{"u":' + b"9" * 400 + b"}",
        b"\xff",
        b'{"x":' + b"[" * 900,
        b"{}" + b" " * 1024,
    ],
)
def test_requests_that_are_refused(extra: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_liveness(extra)


def exchange(send: int, expect: int) -> tuple[RandomExchange, RecordingEndpoint, SshPair]:
    """An end of the test at the server, an endpoint that only watches at the client."""
    end = RandomExchange(send, expect, SeededRng(1))

    def accept(channel: Channel, kind: bytes, extra: memoryview) -> None:
        channel.accept(end)
        end.opened(channel)

    pair = SshPair(accept=accept).start()
    pair.run()
    watcher, _ = pair.open(b"random@psiphon.ca", b"{}")
    return end, watcher, pair


@pytest.mark.parametrize("send", [0, 1, 32 * 1024, 300_000, 5_000_000])
def test_sends_what_it_should_and_closes(send: int) -> None:
    end, watcher, _ = exchange(send, 0)
    assert len(watcher.received) == send
    assert end.complete
    assert watcher.events[-1] == ("closed", None)


def test_what_is_sent_is_random() -> None:
    _, watcher, _ = exchange(100_000, 0)
    assert len(set(watcher.received)) == 256
    assert watcher.received[:50_000] != watcher.received[50_000:]


def test_waits_for_all_that_is_to_come() -> None:
    end, watcher, pair = exchange(10, 1000)
    watcher.send(bytes(999))
    pair.run()
    assert not end.complete
    assert ("closed", None) not in watcher.events
    watcher.send(bytes(1))
    pair.run()
    assert end.complete
    assert watcher.events[-1] == ("closed", None)


def test_more_than_announced_changes_nothing() -> None:
    end, watcher, pair = exchange(0, 1000)
    watcher.send(bytes(5000))
    pair.run()
    assert watcher.events[-1] == ("closed", None)
    assert end.received == 5000


def test_end_of_file_in_the_middle_ends_the_test() -> None:
    _, watcher, pair = exchange(10, 1000)
    watcher.send(bytes(500))
    assert watcher.channel is not None
    watcher.channel.eof()
    pair.run()
    assert watcher.events[-1] == ("closed", None)


def test_a_blocked_connection_holds_it_up_and_no_memory_with_it() -> None:
    end, watcher, pair = exchange(0, 1)
    end._send = 1_000_000  # begin only now, with the way out full
    assert pair.server.connection is not None
    pair.server.connection.block(True)
    end.writable()
    pair.run()
    assert (end.sent, len(watcher.received)) == (0, 0)
    pair.server.connection.block(False)
    pair.run()
    assert len(watcher.received) == 1_000_000


def test_after_the_end_nothing_is_sent() -> None:
    end, _, pair = exchange(5_000_000, 1)
    assert pair.server.connection is not None
    pair.server.connection.lost(None)
    sent = end.sent
    end.writable()
    assert end.sent == sent
