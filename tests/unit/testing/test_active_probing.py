"""A censor who probes: what is sent, when, how often, what it makes of answers; in memory, and on sockets."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from operator import methodcaller

import pytest
from tests.unit.testing.line import connect

from headrace.base.errors import NetworkError
from headrace.testing.active_probing import RANDOM_SIZES, ActiveProbing, answers, random_probes, replays
from headrace.testing.censor import Censor
from headrace.testing.censorship import DROPPED, Probed, Way
from headrace.testing.first_packets import begins_with
from headrace.testing.memory_network import HANGS, Destination, Network, settle
from headrace.testing.origin import payload

UP, DOWN = Way.UP, Way.DOWN
HELLO = payload(300)


# ---- the measure, without anything ------------------------------------------------------------------------


def test_what_came_first_is_replayed_once() -> None:
    probing = ActiveProbing(delay=5.0, patience=3.0)
    line = connect(probing).say(DOWN, b"banner").say(UP, HELLO).say(UP, b"more")
    assert [(probe.payload, probe.delay, probe.patience) for probe in line.probes] == [(HELLO, 5.0, 3.0)]
    assert (line.up, line.down, line.ending) == (HELLO + b"more", b"banner", None)  # nobody notices
    assert connect(probing, now=1e6).say(UP, HELLO, 1e6).probes == []
    assert len(connect(probing, port=2).say(UP, HELLO).probes) == 1


def test_only_what_is_suspicious_is_probed_and_again_later() -> None:
    probing = ActiveProbing(begins_with(b"SSH-"), again=60.0)
    assert connect(probing).say(UP, b"GET /").say(UP, b"SSH-").probes == []
    times = (0.0, 59.0, 60.0, 61.0)
    assert [len(connect(probing, now=now).say(UP, b"SSH-", now).probes) for now in times] == [1, 0, 1, 0]


def test_random_probes_are_of_many_sizes_and_the_same_again() -> None:
    line = connect(ActiveProbing(payloads=random_probes)).say(UP, HELLO)
    assert [len(probe.payload) for probe in line.probes] == list(RANDOM_SIZES)
    assert random_probes(HELLO, "a") == random_probes(HELLO, "a") != random_probes(HELLO, "b")
    assert replays(HELLO, "a") == [HELLO]


def test_what_gives_itself_away_is_blocked_for_a_time() -> None:
    probing = ActiveProbing(blocked_for=100.0, patience=1.0)
    line = connect(probing).say(UP, HELLO)
    silent, talking = Probed(True, b"", "closed", 1.0), Probed(True, b"SSH-", "", 0.1)
    assert (answers(silent), answers(talking)) == (False, True)
    line.probes[0].answered(silent, 5.0)
    assert connect(probing, now=6.0).inspection.opening.made
    line.probes[0].answered(talking, 7.0)
    assert connect(probing, now=106.9).inspection.opening == DROPPED
    assert connect(probing, now=107.0).inspection.opening.made
    assert [result for _, result in probing.results] == [silent, talking]


# ---- carried out ------------------------------------------------------------------------------------------


class Server(asyncio.Protocol):
    """Says `answer` to whatever comes, and then does something about the connection."""

    def __init__(self, answer: bytes, then: Callable[[asyncio.Transport], None]) -> None:
        self.answer, self.then = answer, then

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.answer)
        asyncio.get_running_loop().call_later(1.0, self.then, self.transport)


def nothing(transport: asyncio.Transport) -> None:
    """Let it be."""


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("answer", "then", "result"),
    [
        (b"hello", methodcaller("close"), Probed(True, b"hello", "closed", 0.0)),
        (b"", methodcaller("close"), Probed(True, b"", "closed", 1.0)),
        (b"", methodcaller("abort"), Probed(True, b"", "reset", 1.0)),
        (b"", nothing, Probed(True, b"", "", 10.0)),
        (b"x" * 9999, nothing, Probed(True, b"x" * 4096, "", 0.0)),
    ],
)
async def test_results_in_memory(
    answer: bytes, then: Callable[[asyncio.Transport], None], result: Probed
) -> None:
    probing = ActiveProbing(delay=60.0)
    network = Network(probing)
    servers: list[Server] = []

    def place() -> asyncio.Protocol:
        servers.append(Server(answer, then))
        return servers[-1]

    network.places["192.0.2.1", 1] = place
    client = await network.dial("192.0.2.1", 1, Destination, 5.0)
    client.send(HELLO)
    await settle()
    assert len(servers) == 1
    await asyncio.sleep(59.0)
    assert len(servers) == 1  # not yet
    await network.probed()
    assert len(servers) == 2
    ((probe, found),) = probing.results
    assert probe.payload == HELLO
    assert replace(found, seconds=result.seconds) == result
    assert found.seconds == pytest.approx(result.seconds)
    assert network.dialled == [("192.0.2.1", 1)]
    assert client.tcp is not None
    client.tcp.abort()
    servers[0].transport.abort()
    await settle()
    assert not [wire for wire in network.open if wire is not servers[1].transport]


@pytest.mark.virtual_time
@pytest.mark.parametrize("gone", [HANGS, NetworkError("Connection refused")])
async def test_who_has_gone_when_the_probe_comes(gone: str | NetworkError) -> None:
    probing = ActiveProbing(delay=60.0)
    network = Network(probing)
    network.places["192.0.2.1", 1] = Destination
    client = await network.dial("192.0.2.1", 1, Destination, 5.0)
    client.send(HELLO)
    await settle()
    network.places["192.0.2.1", 1] = gone
    await network.probed()
    assert [result for _, result in probing.results] == [Probed(connected=False)]
    assert probing.blocked.places == {}


@pytest.mark.virtual_time
async def test_on_sockets_a_server_that_answers_is_blocked_and_a_silent_one_is_not() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(100):
            writer.write(b"who is there?")
        writer.close()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    probing = ActiveProbing(patience=30.0)
    blocked = []
    for serve in (talk, listen):
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, Censor(server.sockets[0].getsockname()[1], rules=probing) as censor:
            _, writer = await asyncio.open_connection(censor.host, censor.port)
            writer.write(HELLO)
            passage = await censor.connection()
            await asyncio.sleep(1.0)
            assert passage.up.passed == len(HELLO)
            await censor.probed()
            blocked.append((censor.host, censor.port) in probing.blocked.places)
            _, late = await asyncio.open_connection(censor.host, censor.port)
            assert (await censor.connection(1)).inspection.opening.made is not blocked[-1]
            late.close()
            writer.close()
    assert blocked == [True, False]
    assert [(result.answer, result.ending) for _, result in probing.results] == [
        (b"who is there?", "closed"),
        (b"", ""),
    ]
