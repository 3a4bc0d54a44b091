"""The network in memory, with a censor in it: real clients and servers feel what the rules say."""

import asyncio
from pathlib import Path

import pytest

from headrace.base.errors import ConnectTimeout, NetworkError
from headrace.client import tunnel as client_tunnel
from headrace.net.dial import dial
from headrace.testing.censorship import (
    CLOSE,
    DROPPED,
    REFUSED,
    RESET,
    RESET_CLIENT,
    RESET_TARGET,
    STALL,
    Measure,
    Way,
)
from headrace.testing.conditions import Only, Residual
from headrace.testing.first_packets import looks_fully_encrypted
from headrace.testing.measures import PASS, Block, FirstBytes, Lag, Rule
from headrace.testing.memory_network import Destination, Network, settle
from headrace.testing.memory_server import MemoryServer, make_tunnel
from headrace.testing.origin import payload
from headrace.testing.tampering import Inject

pytestmark = pytest.mark.virtual_time

HERE = ("192.0.2.1", 1)
BODY = payload(200_000)


def now() -> float:
    return asyncio.get_running_loop().time()


async def pair(network: Network) -> tuple[Destination, Destination]:
    """Return the two ends of a connection."""
    far = Destination()
    network.places[HERE] = lambda: far
    near = await network.dial(*HERE, Destination, 5.0)
    await settle()
    return near, far


def close(*ends: Destination) -> None:
    for end in ends:
        assert end.tcp is not None
        end.tcp.close()


@pytest.mark.parametrize("rules", [None, PASS])
async def test_both_ways_and_to_the_end_with_and_without_a_censor(rules: Measure | None) -> None:
    network = Network(rules)
    near, far = await pair(network)
    near.send(BODY)
    far.send(BODY[::-1])
    await settle()
    assert (bytes(far.received), bytes(near.received)) == (BODY, BODY[::-1])
    assert near.tcp is not None
    near.tcp.write_eof()
    await settle()
    assert far.finished
    far.send(b"and more")
    close(far)
    await settle()
    assert near.received.endswith(b"and more")
    assert near.finished
    close(near)
    await settle()
    assert network.open == []
    assert len(network.passages) == (0 if rules is None else 1)
    assert all(passage.ended.is_set() for passage in network.passages)


@pytest.mark.parametrize("size", [1, 1000, 199_999])
async def test_a_connection_is_reset_after_exactly_so_many_bytes(size: int) -> None:
    network = Network([Rule(RESET, down=size)])
    near, far = await pair(network)
    far.send(BODY)
    await settle()
    assert near.received == BODY[:size]
    assert near.lost
    assert far.lost
    assert network.open == []
    assert network.passages[0].struck.is_set()
    later, far = await pair(network)
    far.send(BODY)
    await settle()
    assert later.received == BODY


async def test_each_ending_is_felt_where_it_should() -> None:
    felt = {}
    for ending in (RESET, CLOSE, STALL, RESET_CLIENT, RESET_TARGET):
        network = Network(Rule(ending, up=3))
        near, far = await pair(network)
        near.send(b"abcdef")
        await settle()
        assert far.received == b"abc"
        felt[ending] = (near.lost, near.finished, far.lost)
        if not far.lost:
            far.send(b"swallowed")
            await asyncio.sleep(3600)
            assert near.received == b""
        for end, gone in ((near, near.lost), (far, far.lost)):
            if not gone:
                close(end)
        await settle()
        assert network.open == []
        assert network.passages[0].ended.is_set()
    assert felt == {
        RESET: (True, False, True),
        CLOSE: (False, True, True),
        STALL: (False, False, False),
        RESET_CLIENT: (True, False, False),
        RESET_TARGET: (False, False, True),
    }


async def test_what_is_blocked_is_refused_or_dropped_for_real() -> None:
    network = Network(Only(Block(REFUSED), ports=[1]) & Only(Block(DROPPED), ports=[2]))
    for port in (1, 2, 3):
        network.places["192.0.2.1", port] = Destination
    with pytest.raises(NetworkError, match="refused"):
        await network.dial("192.0.2.1", 1, Destination, 5.0)
    assert now() == 0
    with pytest.raises(ConnectTimeout):
        await network.dial("192.0.2.1", 2, Destination, 5.0)
    assert now() == 5.0
    await network.dial("192.0.2.1", 3, Destination, 5.0)
    await network.dial_beyond("192.0.2.1", 1, Destination, 5.0)
    assert len(network.dialled) == 4
    assert len(network.passages) == 1


async def test_nobody_behind_the_censor_is_nobody() -> None:
    network = Network(Rule(delay=2.0))
    with pytest.raises(NetworkError, match="refused"):
        await network.dial(*HERE, Destination, 5.0)
    assert now() == 2.0
    assert network.passages == []
    with pytest.raises(ConnectTimeout):
        await network.dial(*HERE, Destination, 1.0)


async def test_a_connection_made_to_be_reset() -> None:
    network = Network(Rule(RESET, down=0))
    near, far = await pair(network)
    await settle()
    assert near.lost
    assert far.tcp is None
    assert network.open == []


async def test_times_are_the_loops() -> None:
    network = Network(Lag(0.5) & Rule(rate=100_000))
    near, far = await pair(network)
    far.send(BODY)
    await asyncio.sleep(0.49)
    assert not near.received
    await asyncio.sleep(1.01)
    assert len(near.received) == pytest.approx(100_000, abs=5000)
    await asyncio.sleep(1.0)
    assert near.received == BODY


async def test_a_stalled_reader_holds_up_the_sender() -> None:
    network = Network(Inject(b"!"))
    near, far = await pair(network)
    assert far.tcp is not None
    far.tcp.pause_reading()
    for _ in range(10):
        near.send(BODY)
        await settle()
    assert network.passages[0].up.passed < 2 * len(BODY)
    far.tcp.resume_reading()
    await settle()
    assert far.received == BODY * 10
    assert near.received == b"!"


async def test_a_tunnel_through_and_one_that_is_cut(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    network = Network.install(monkeypatch, [PASS, Rule(STALL, down=600), Rule(RESET, up=600)])
    server = MemoryServer(network, tmp_path)
    good = make_tunnel(server.entry)
    await good.connect()
    for _ in range(2):
        bad = make_tunnel(server.entry)
        with pytest.raises(NetworkError):
            await bad.connect()
        bad.abort()
    await settle()
    assert [passage.struck.is_set() for passage in network.passages] == [False, True, True]
    assert network.passages[1].down.passed == 600
    assert network.passages[2].up.passed == 600
    good.abort()
    await settle()
    assert network.passages[0].ended.is_set()


#: A server that does not say that it knows prefixes.
BARE = {"capabilities": ["SSH", "OSSH"]}


async def test_a_tunnel_that_looks_random_is_blocked_and_its_server_for_a_while(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    measure = Residual(FirstBytes(looks_fully_encrypted), 180.0)
    network = Network.install(monkeypatch, measure)
    server = MemoryServer(network, tmp_path)
    for protocol, blocked in (("SSH", False), ("OSSH", True), ("SSH", False)):
        tunnel = make_tunnel(server.entry, protocol, change=BARE)
        if blocked:
            with pytest.raises(NetworkError):
                await tunnel.connect()
        else:
            await tunnel.connect()
        tunnel.abort()
    made = len(network.passages)
    again = make_tunnel(server.entry, "OSSH", change=BARE)
    with pytest.raises(NetworkError):
        await again.connect()
    assert len(network.passages) == made  # not even a connection
    again.abort()
    network.decree(PASS)
    free = make_tunnel(server.entry, "OSSH")
    await free.connect()
    free.abort()
    await settle()


async def test_it_is_installed_for_a_time_and_without_pytest() -> None:
    network = Network()
    with network.installed() as same:
        assert same is network
        assert vars(client_tunnel)["dial"] == network.dial
    assert vars(client_tunnel)["dial"] is dial


async def test_rules_may_come_later() -> None:
    network = Network()
    near, far = await pair(network)
    network.decree([Rule(RESET, down=1)])
    far.send(BODY)
    await settle()
    assert near.received == BODY  # a connection from before
    late, far = await pair(network)
    far.send(BODY)
    await settle()
    assert late.lost
    network.decree(Rule(RESET, up=1))
    late, far = await pair(network)
    late.send(BODY)
    await settle()
    assert (late.lost, bytes(far.received)) == (True, BODY[:1])
    assert network.passages[-1].inspection.flows[Way.UP].passed == 1
