"""Attack: use up the server - connections, memory, time, channels - without being a client, or as a bad one.

Thousands of connections are held open in memory, on virtual time; what each of them costs is measured, and an
honest client must get through beside them.
"""

import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.memory_network import Destination, MemoryServer, Network, make_tunnel, settle

from headrace.base.rng import SeededRng
from headrace.client.local_connection import NEGOTIATION_TIMEOUT
from headrace.client.local_socks import SocksConnection
from headrace.client.tunnel import Tunnel
from headrace.server.load.memory import Memory
from headrace.server.patience import GRACE, JITTER
from headrace.ssh import numbers
from headrace.ssh.channel import INITIAL_WINDOW, MAX_WINDOW
from headrace.ssh.forwarding import DIRECT_TCPIP
from headrace.ssh.forwarding import Destination as Target
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.memory_server import HANDSHAKE_TIMEOUT
from headrace.testing.memory_tunnel import MemoryTunnel
from headrace.testing.peers import RecordingEndpoint

pytestmark = pytest.mark.virtual_time

TIMEOUT = HANDSHAKE_TIMEOUT * (1 + JITTER)
THE_END = TIMEOUT + HANDSHAKE_TIMEOUT * GRACE[1] + 1
ORIGIN = ("8.8.8.8", 80)
Attack = Callable[[MemoryServer, int], FakeTcp]


def says_nothing(server: MemoryServer, number: int) -> FakeTcp:
    return server.probe()


def stops_half_way(server: MemoryServer, number: int) -> FakeTcp:
    tcp = server.probe()
    tcp.arrive(server.preamble(number)[: 20 + number % 40])
    return tcp


def searches_for_a_terminator(server: MemoryServer, number: int) -> FakeTcp:
    tcp = server.probe()
    tcp.arrive(SeededRng(number).bytes(60_000))  # just not enough to be refused
    return tcp


def was_refused_and_goes_on(server: MemoryServer, number: int) -> FakeTcp:
    tcp = server.probe()
    for _ in range(20):
        tcp.arrive(bytes(65_536))
    return tcp


ATTACKERS: list[Attack] = [
    says_nothing,
    stops_half_way,
    searches_for_a_terminator,
    was_refused_and_goes_on,
]
ATTACKS = pytest.mark.parametrize("attack", ATTACKERS)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def server(network: Network, tmp_path: Path) -> MemoryServer:
    return MemoryServer(network, tmp_path)


async def connected(server: MemoryServer) -> Tunnel:
    tunnel = make_tunnel(server.entry)
    await tunnel.connect()
    await tunnel.handshake()
    return tunnel


def now() -> float:
    return asyncio.get_running_loop().time()


def memory() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


# ---- strangers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, 10], ids=["no limit", "ten handshakes"])
async def test_five_thousand_idle_probes_do_not_keep_an_honest_client_out(
    network: Network, tmp_path: Path, limit: int
) -> None:
    server = MemoryServer(network, tmp_path, MaxConcurrentSSHHandshakes=limit)
    probes = [says_nothing(server, number) for number in range(4000)]
    probes += [stops_half_way(server, number) for number in range(1000)]
    network.places[ORIGIN] = Destination
    tunnel = await connected(server)
    endpoint = RecordingEndpoint()
    tunnel.open_channel(DIRECT_TCPIP, Target(*ORIGIN).encode(), endpoint)
    await settle()
    assert endpoint.events == [("opened",)]
    assert now() < 1
    await asyncio.sleep(THE_END)
    assert not any(tcp.written for tcp in probes)
    assert all(tcp.is_closing() for tcp in probes)
    assert not tunnel.ended.done()
    assert len(server.sessions) == 1
    tunnel.abort()


@ATTACKS
async def test_a_stranger_costs_little_and_nothing_is_left_of_him(
    server: MemoryServer, attack: Attack
) -> None:
    count, warm_up = 500, 20
    for number in range(warm_up):
        attack(server, number)
    tracemalloc.start()
    try:
        before = memory()
        probes = [attack(server, warm_up + number) for number in range(count)]
        each = (memory() - before) / count
        assert each < 4 * 1024
        await asyncio.sleep(THE_END)
        assert all(tcp.is_closing() for tcp in probes)
        probes.clear()
        assert server.sessions == set()
        # A worker may remember that there were strangers, but not each of them.
        assert (memory() - before) / count < 512
    finally:
        tracemalloc.stop()


async def test_who_has_the_entry_costs_more_but_not_for_long(server: MemoryServer) -> None:
    """A recorded preamble is good for one connection; whoever holds the entry can make more of them."""
    count = 100
    tcp = server.probe()
    tcp.arrive(server.preamble(1))
    tracemalloc.start()
    try:
        before = memory()
        probes = [server.probe() for _ in range(count)]
        for number, tcp in enumerate(probes):
            tcp.arrive(server.preamble(100 + number))
        answered = sum(len(tcp.written) for tcp in probes)
        assert all(tcp.written for tcp in probes)
        assert (memory() - before - answered) / count < 16 * 1024
        await asyncio.sleep(THE_END)
        assert server.sessions == set()
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("interval", [0.5, 5.0, 29.0])
async def test_a_slow_handshake_ends_at_the_deadline_however_it_is_spread(
    server: MemoryServer, interval: float
) -> None:
    tcp = server.probe()
    preamble = server.preamble(1)
    for byte in preamble:
        if tcp.log:
            break
        tcp.arrive(bytes([byte]))
        await asyncio.sleep(interval)
    await asyncio.sleep(60)
    assert tcp.log == ["fin", "close"]
    assert HANDSHAKE_TIMEOUT <= tcp.events[0][0] <= TIMEOUT
    assert not tcp.written


async def test_a_handshake_that_stops_after_the_keys_ends_at_the_deadline_too(
    network: Network, server: MemoryServer
) -> None:
    tunnel = make_tunnel(server.entry)
    connecting = asyncio.create_task(tunnel.connect())
    while not network.wires:  # noqa: ASYNC110
        await asyncio.sleep(0)
    near, far = network.wires
    while not far.written:  # noqa: ASYNC110
        await asyncio.sleep(0.001)  # the prefix and what follows it are a moment apart
    near.stuck = True  # the client's half of the key exchange never arrives
    await asyncio.sleep(THE_END)
    assert far.log[-1] in ("close", "reset")
    assert server.sessions == set()
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)


async def test_of_too_many_strangers_the_oldest_go_and_see_no_more_than_others(
    network: Network, tmp_path: Path
) -> None:
    server = MemoryServer(network, tmp_path)
    server.worker.newcomers.most = 100
    probes = []
    for number in range(1000):
        probes.append(ATTACKERS[number % len(ATTACKERS)](server, number))
        await asyncio.sleep(0.001)
    tunnel = await connected(server)
    assert not tunnel.ended.done()
    assert len(server.sessions) <= 201
    assert server.worker.counts["rejected.newcomers"] == 901
    assert not any(tcp.written for tcp in probes)
    events = [[event for event in tcp.log if event != "pause"] for tcp in probes]
    assert all(log == ["fin", "close"] for log in events[:800]), "whoever goes, goes with FIN"
    assert all(log == [] for log in events[-99:])
    tunnel.abort()


# ---- clients that mean no good ----------------------------------------------------------------------------


async def test_channels_have_a_bound_and_a_small_price(network: Network, tmp_path: Path) -> None:
    rules = {"MaxTCPPortForwardCount": 0, "MaxTCPDialingPortForwardCount": 0}
    server = MemoryServer(network, tmp_path, rules=rules)
    network.places[ORIGIN] = Destination
    greedy, honest = await connected(server), await connected(server)
    endpoints = [RecordingEndpoint() for _ in range(server.worker.shared.max_channels + 50)]
    for endpoint in endpoints:
        greedy.open_channel(DIRECT_TCPIP, Target(*ORIGIN).encode(), endpoint)
    await settle()
    outcomes = [endpoint.events[0] for endpoint in endpoints]
    assert outcomes.count(("opened",)) == server.worker.shared.max_channels
    assert {outcome[1] for outcome in outcomes if outcome[0] == "refused"} == {numbers.RESOURCE_SHORTAGE}
    beside = RecordingEndpoint()
    honest.open_channel(DIRECT_TCPIP, Target(*ORIGIN).encode(), beside)
    await settle()
    assert beside.events == [("opened",)]
    greedy.abort()
    await settle()
    assert server.worker.tunnels == 1
    honest.abort()


async def test_by_default_one_client_has_so_many_forwards_and_no_more(
    network: Network, server: MemoryServer
) -> None:
    network.places[ORIGIN] = Destination
    tunnel = await connected(server)
    for _ in range(20):
        for _ in range(50):
            tunnel.open_channel(DIRECT_TCPIP, Target(*ORIGIN).encode(), RecordingEndpoint())
        await settle()
    open_ends = [wire for wire in network.wires[2::2] if not wire.is_closing()]
    assert len(open_ends) == 512
    tunnel.abort()


async def test_a_client_that_does_not_read_parks_little(network: Network, server: MemoryServer) -> None:
    """A hundred downloads by a client that has stopped reading: their origins have to wait."""

    class Firehose(Destination):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.send(bytes(4_000_000))

    origins: list[Firehose] = []

    def make() -> Firehose:
        origins.append(Firehose())
        return origins[-1]

    network.places[ORIGIN] = make
    tunnel = await connected(server)
    far = network.wires[1]
    for _ in range(100):
        tunnel.open_channel(DIRECT_TCPIP, Target(*ORIGIN).encode(), RecordingEndpoint())
    far.stuck = True
    for _ in range(50):
        await settle()
    assert 0 < far.get_write_buffer_size() <= MAX_WINDOW + 1_000_000
    far.drain()
    await settle()
    assert not tunnel.ended.done()
    tunnel.abort()


async def test_channels_that_nobody_reads_park_no_more_than_their_windows(
    network: Network, server: MemoryServer
) -> None:
    """The client's applications have stopped, the tunnel goes on: a window per channel, and no growth."""

    class Firehose(Destination):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.send(bytes(1_000_000))

    network.places[ORIGIN] = Firehose
    tunnel = await connected(server)
    stalled = [RecordingEndpoint() for _ in range(50)]
    for endpoint in stalled:
        tunnel.open_channel(DIRECT_TCPIP, Target(*ORIGIN).encode(), endpoint).hold()
    await asyncio.sleep(1)
    assert {len(endpoint.received) for endpoint in stalled} == {INITIAL_WINDOW}
    network.places["8.8.4.4", 80] = Firehose
    lively = RecordingEndpoint()
    tunnel.open_channel(DIRECT_TCPIP, Target("8.8.4.4", 80).encode(), lively)
    await asyncio.sleep(1)
    assert len(lively.received) == 1_000_000  # the others do not hold it up
    tunnel.abort()


async def upload_to_nobody(network: Network, tunnel: Tunnel, forwards: int) -> None:
    """Fill port forwards whose destinations read nothing."""
    endpoints = [RecordingEndpoint() for _ in range(forwards)]
    before = len(network.wires)
    for endpoint in endpoints:
        tunnel.open_channel(DIRECT_TCPIP, Target(*ORIGIN).encode(), endpoint)
    await settle()
    for wire in network.wires[before::2]:
        wire.stuck = True
    for endpoint in endpoints:
        endpoint.send(bytes(INITIAL_WINDOW))
    for _ in range(20):
        await settle()


async def test_a_tunnel_that_holds_too_much_memory_is_closed(network: Network, tmp_path: Path) -> None:
    server = MemoryServer(network, tmp_path, sweeping=True, MaxTunnelMemoryBytes=4 << 20)
    network.places[ORIGIN] = Destination
    greedy, honest = await connected(server), await connected(server)
    await upload_to_nobody(network, honest, 30)
    await upload_to_nobody(network, greedy, 40)
    assert server.worker.buffered == 70 * INITIAL_WINDOW
    await asyncio.sleep(6)
    assert greedy.ended.done()
    assert not honest.ended.done()
    assert server.worker.counts["closed.tunnel_memory"] == 1
    honest.abort()


async def test_a_worker_without_memory_closes_those_who_hold_most_and_nobody_else(
    network: Network, tmp_path: Path
) -> None:
    server = MemoryServer(network, tmp_path, sweeping=True)
    network.places[ORIGIN] = Destination
    worker = server.worker
    worker.memory = Memory(6 << 20, lambda: worker.buffered, lambda: None)
    tunnels = [await connected(server) for _ in range(10)]
    for number, tunnel in enumerate(tunnels[:4]):
        await upload_to_nobody(network, tunnel, 6 * (number + 1))
    await asyncio.sleep(6)
    assert [tunnel.ended.done() for tunnel in tunnels] == [False] * 3 + [True] + [False] * 6
    assert worker.counts["closed.worker_memory"] == 1
    assert not worker.door.reasons or worker.door.reasons == {"memory"}
    await asyncio.sleep(6)
    assert not worker.door.reasons
    for tunnel in tunnels:
        tunnel.abort()


# ---- the client's side ------------------------------------------------------------------------------------


async def test_local_programs_that_say_nothing_do_not_pile_up() -> None:
    tunnel = MemoryTunnel(answers=False)
    connections = [FakeTcp(SocksConnection(tunnel)) for _ in range(2000)]
    for tcp in connections:
        tcp.arrive(b"\x05")
    await asyncio.sleep(NEGOTIATION_TIMEOUT + 0.1)
    assert all(tcp.is_closing() for tcp in connections)
    assert tunnel.destinations == []
