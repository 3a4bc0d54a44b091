"""A worker: its queue of handshakes, its count of strangers, its start and its end."""

import asyncio
import socket
from pathlib import Path

import msgspec
import pytest
from tests.memory_network import MemoryServer, Network, make_tunnel, settle

from headrace.base.errors import NetworkError, OperatorError
from headrace.client.tunnel import Tunnel
from headrace.documents.server_config import read_server_config
from headrace.obfuscation.seed_history import SeedMemory
from headrace.server.generate import CONFIG_FILE
from headrace.server.patience import GRACE, JITTER
from headrace.server.shared import Shared
from headrace.server.worker import Worker
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.memory_server import HANDSHAKE_TIMEOUT

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def server(network: Network, tmp_path: Path) -> MemoryServer:
    return MemoryServer(network, tmp_path)


@pytest.fixture
def narrow(network: Network, tmp_path: Path) -> MemoryServer:
    """A server that lets one handshake at a time go on."""
    return MemoryServer(network, tmp_path, MaxConcurrentSSHHandshakes=1)


async def connected(server: MemoryServer, protocol: str = "OSSH") -> Tunnel:
    tunnel = make_tunnel(server.entry, protocol)
    await tunnel.connect()
    await tunnel.handshake()
    return tunnel


def handshaking(server: MemoryServer, seed: int) -> FakeTcp:
    """Return a connection that has sent a good preamble, and nothing else."""
    tcp = server.probe()
    tcp.arrive(server.preamble(seed))
    return tcp


def now() -> float:
    return asyncio.get_running_loop().time()


# ---- the queue of handshakes ------------------------------------------------------------------------------


async def test_a_handshake_waits_for_its_turn_unread_and_unanswered(narrow: MemoryServer) -> None:
    first, second = handshaking(narrow, 1), handshaking(narrow, 2)
    await asyncio.sleep(0.9)
    assert first.written
    assert not second.written
    assert second.log == ["pause"]
    first.abort()
    await settle()
    assert second.written
    assert second.log == ["pause", "resume"]


async def test_who_has_waited_too_long_is_let_go(narrow: MemoryServer) -> None:
    handshaking(narrow, 1)
    second = handshaking(narrow, 2)
    await asyncio.sleep(60)
    # Read again, for what stays unread would make a RST of the end.
    assert second.events[:3] == [(0.0, "pause"), (1.0, "resume"), (1.0, "fin")]
    assert second.log[3:] == ["close"]
    assert not second.written


async def test_the_wait_can_be_configured(network: Network, tmp_path: Path) -> None:
    server = MemoryServer(
        network, tmp_path, MaxConcurrentSSHHandshakes=1, SSHBeginHandshakeTimeoutMilliseconds=3000
    )
    handshaking(server, 1)
    second = handshaking(server, 2)
    await asyncio.sleep(60)
    assert (3.0, "fin") in second.events


async def test_first_come_first_served(narrow: MemoryServer) -> None:
    connections = [handshaking(narrow, seed) for seed in range(4)]
    for number, tcp in enumerate(connections):
        assert [bool(other.written) for other in connections] == [True] * (number + 1) + [False] * (
            3 - number
        )
        tcp.abort()
        await settle()


async def test_a_finished_handshake_makes_room_while_its_tunnel_lives(narrow: MemoryServer) -> None:
    tunnels = [await connected(narrow) for _ in range(3)]
    assert narrow.worker.tunnels == 3
    assert handshaking(narrow, 1).written
    for tunnel in tunnels:
        tunnel.abort()


async def test_many_at_once_all_get_through(narrow: MemoryServer) -> None:
    tunnels = [make_tunnel(narrow.entry) for _ in range(20)]
    await asyncio.gather(*(tunnel.connect() for tunnel in tunnels))
    assert narrow.worker.tunnels == 20
    assert now() < 1
    for tunnel in tunnels:
        tunnel.abort()


async def test_a_stranger_takes_no_place(narrow: MemoryServer) -> None:
    for number in range(10):
        narrow.probe().arrive(b"GET / HTTP/1.1\r\n\r\n" * 10_000 if number % 2 else b"")
    assert handshaking(narrow, 1).written


async def test_garbage_behind_a_good_preamble_gives_the_place_back(narrow: MemoryServer) -> None:
    first, second = handshaking(narrow, 1), handshaking(narrow, 2)
    first.arrive(bytes(100_000))
    await settle()
    assert second.written


async def test_a_handshake_that_never_ends_gives_its_place_back_at_its_deadline(narrow: MemoryServer) -> None:
    handshaking(narrow, 1)
    await asyncio.sleep(HANDSHAKE_TIMEOUT)
    assert narrow.worker.admission.going_on == 1
    await asyncio.sleep(HANDSHAKE_TIMEOUT * (JITTER + GRACE[1]))
    assert handshaking(narrow, 2).written


async def test_who_leaves_the_queue_takes_no_place_with_him(narrow: MemoryServer) -> None:
    first, second, third = (handshaking(narrow, seed) for seed in range(3))
    second.abort()
    await settle()
    first.abort()
    await settle()
    assert third.written
    third.abort()
    await settle()
    assert handshaking(narrow, 9).written


async def test_without_a_limit_nobody_waits(server: MemoryServer) -> None:
    assert all(handshaking(server, seed).written for seed in range(50))


# ---- counts -----------------------------------------------------------------------------------------------


async def test_strangers_are_counted_by_reason_and_nothing_else_is_kept(server: MemoryServer) -> None:
    preamble = server.preamble(1)
    server.probe().arrive(preamble)
    for _ in range(3):
        server.probe().arrive(preamble)
    for _ in range(2):
        server.probe().arrive(bytes(100_000))
    counts = server.worker.counts
    assert (counts["stranger.replay"], counts["stranger.no_terminator"]) == (3, 2)
    snapshot = server.worker.snapshot()
    assert (snapshot.strangers, snapshot.connections) == (5, {"OSSH/None/None": 6})
    assert "192.0.2" not in msgspec.json.encode(snapshot).decode()


async def test_tunnels_are_those_who_are_logged_in(server: MemoryServer) -> None:
    handshaking(server, 1)
    server.probe().arrive(bytes(100_000))
    tunnel = await connected(server)
    assert server.worker.tunnels == 1
    tunnel.abort()
    await settle()
    assert server.worker.tunnels == 0


# ---- start and end ----------------------------------------------------------------------------------------


def listening_worker(
    directory: Path, network: Network, *, ports: dict[str, int], **settings: object
) -> Worker:
    MemoryServer(network, directory)  # writes the files
    config = read_server_config(
        (directory / CONFIG_FILE).read_bytes(), overrides={"TunnelProtocolPorts": ports, **settings}
    )
    seeds = SeedMemory()
    return Worker(Shared.load(config, directory, lambda seed: seeds.seen(seed, 0.0)))


async def test_it_listens_for_every_protocol_and_stops(network: Network, tmp_path: Path) -> None:
    worker = listening_worker(tmp_path, network, ports={"OSSH": 0, "SSH": 0})
    await worker.start("127.0.0.1")
    assert set(worker.ports) == {"OSSH", "SSH"}
    for port in worker.ports.values():
        socket.create_connection(("127.0.0.1", port), 5).close()
    await worker.stop()
    for port in worker.ports.values():
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_port_in_use_is_told_with_its_protocol(network: Network, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        worker = listening_worker(tmp_path, network, ports={"OSSH": 0, "SSH": port})
        with pytest.raises(OperatorError, match=f"^SSH cannot listen on port {port}: Address already in use"):
            await worker.start("127.0.0.1")
        await worker.stop()
    with pytest.raises(ConnectionRefusedError):  # what was opened before it failed is closed again
        socket.create_connection(("127.0.0.1", worker.ports["OSSH"]), 5)


async def test_stopping_ends_everything(network: Network, server: MemoryServer) -> None:
    tunnel = await connected(server)
    half_way, stranger, idle = handshaking(server, 1), server.probe(), server.probe()
    stranger.arrive(bytes(100_000))
    await server.worker.stop()
    await settle()
    assert isinstance(tunnel.ended.result(), NetworkError)  # it was told
    assert network.open == []
    assert [tcp.is_closing() for tcp in (half_way, stranger, idle)] == [True] * 3
    assert not stranger.written
    assert not idle.written
    assert server.sessions == set()


async def test_open_tunnels_get_time_to_end_by_themselves(network: Network, server: MemoryServer) -> None:
    first, second = await connected(server), await connected(server)
    server.probe().arrive(bytes(100_000))  # strangers are not waited for
    begun = now()
    stopping = asyncio.create_task(server.worker.stop(100))
    await asyncio.sleep(5)
    assert await first.request(b"keepalive@openssh.com", b"")
    first.close()
    await asyncio.sleep(5)
    assert not stopping.done()
    second.close()
    await stopping
    assert now() - begun == pytest.approx(10, abs=0.1)


async def test_the_grace_has_an_end(server: MemoryServer) -> None:
    tunnel = await connected(server)
    begun = now()
    await server.worker.stop(10)
    assert now() - begun == pytest.approx(10)
    await settle()
    assert tunnel.ended.done()


async def test_in_a_hurry_the_grace_is_over(server: MemoryServer) -> None:
    tunnel = await connected(server)
    begun = now()
    stopping = asyncio.create_task(server.worker.stop(1000))
    await asyncio.sleep(3)
    server.worker.hurry()
    await stopping
    assert now() - begun == pytest.approx(3)
    await settle()
    assert tunnel.ended.done()


async def test_without_tunnels_stopping_takes_no_time(server: MemoryServer) -> None:
    server.worker.hurry()  # nobody is waiting
    handshaking(server, 1)
    await server.worker.stop(1000)
    assert now() < 0.1
