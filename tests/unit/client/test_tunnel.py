"""One tunnel over a network in memory: made, used, ended, whoever ends it."""

import asyncio
from pathlib import Path

import pytest
from tests.memory_network import Destination, MemoryServer, Network, make_tunnel, settle

from headrace.base.errors import HandshakeTimeout, NetworkError, RemoteProtocolError
from headrace.client import api
from headrace.client import tunnel as tunnel_module
from headrace.client.tunnel import REQUEST_TIMEOUT, Tunnel
from headrace.obfuscation.default_prefix import default_prefixes
from headrace.ssh import numbers
from headrace.ssh.forwarding import Destination as Target
from headrace.testing.peers import RecordingEndpoint

pytestmark = pytest.mark.virtual_time

ORIGIN = ("8.8.8.8", 80)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def server(network: Network, tmp_path: Path) -> MemoryServer:
    return MemoryServer(network, tmp_path)


async def connected(server: MemoryServer, protocol: str = "OSSH") -> Tunnel:
    tunnel = make_tunnel(server.entry, protocol)
    await tunnel.connect()
    await tunnel.handshake()
    return tunnel


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("protocol", ["OSSH", "SSH"])
async def test_a_whole_life(network: Network, server: MemoryServer, protocol: str) -> None:
    origin = Destination()
    network.places[ORIGIN] = lambda: origin
    tunnel = make_tunnel(server.entry, protocol)
    assert tunnel.bytes_transferred == (0, 0)
    assert tunnel.silent_for == 0
    await tunnel.connect()
    response = await tunnel.handshake()
    assert response.client_address.startswith("192.0.2.1:")
    near = RecordingEndpoint()
    tunnel.open(Target(*ORIGIN), near)
    await settle()
    near.send(b"up" * 1000)
    origin.send(b"down" * 1000)
    await settle()
    assert origin.received == b"up" * 1000
    assert near.received == b"down" * 1000
    sent, received = tunnel.bytes_transferred
    assert sent > 2000
    assert received > 4000
    assert (sent, received) == (len(network.wires[0].written), len(network.wires[1].written))
    tunnel.close()
    await settle()
    assert near.events[-1][0] == "closed"
    assert network.open == []
    assert tunnel.ended.result() is None


@pytest.mark.parametrize("disabled", [False, True])
async def test_a_prefix_unless_the_server_wants_none(
    network: Network, server: MemoryServer, disabled: bool
) -> None:
    change = {"disable_ossh_prefix": disabled}
    tunnel = make_tunnel(server.entry, prefixes=default_prefixes(), change=change)
    await tunnel.connect()
    assert network.wires[0].written.startswith(b"POST /") is not disabled
    tunnel.abort()


async def test_a_tunnel_cannot_be_used_before_it_is_up(server: MemoryServer) -> None:
    tunnel = make_tunnel(server.entry)
    with pytest.raises(NetworkError, match="gone"):
        tunnel.open(Target(*ORIGIN), RecordingEndpoint())
    with pytest.raises(NetworkError, match="gone"):
        await tunnel.request(b"psiphon-status", b"")
    tunnel.close()  # does nothing
    tunnel.abort()
    assert tunnel.ended.done()


async def test_a_lost_tunnel_is_told_to_everybody_at_once(network: Network, server: MemoryServer) -> None:
    tunnel = await connected(server)
    network.places[ORIGIN] = Destination
    endpoints = [RecordingEndpoint() for _ in range(3)]
    for endpoint in endpoints:
        tunnel.open(Target(*ORIGIN), endpoint)
    await settle()
    network.wires[0].stuck = True  # the request stays unanswered
    request = asyncio.create_task(tunnel.request(b"psiphon-status", b"{}"))
    await settle()
    network.wires[1].abort()
    with pytest.raises(NetworkError, match="lost before"):
        await request
    assert [endpoint.events[-1][0] for endpoint in endpoints] == ["closed"] * 3
    assert all(isinstance(endpoint.events[-1][1], NetworkError) for endpoint in endpoints)
    assert isinstance(tunnel.ended.result(), NetworkError)
    with pytest.raises(NetworkError, match="gone"):
        tunnel.open(Target(*ORIGIN), RecordingEndpoint())
    assert now() < 1


async def test_a_request_has_only_so_much_time_and_a_late_answer_does_not_shift_the_others(
    network: Network, server: MemoryServer
) -> None:
    tunnel = await connected(server)
    network.wires[1].stuck = True
    with pytest.raises(HandshakeTimeout, match="keepalive"):
        await tunnel.request(b"keepalive@openssh.com", b"", 3)
    assert now() == pytest.approx(3, abs=0.01)
    unknown = asyncio.create_task(tunnel.request(b"no such request", b""))
    known = asyncio.create_task(tunnel.request(b"keepalive@openssh.com", b""))
    await asyncio.sleep(1)
    network.wires[1].drain()
    assert await unknown is None
    assert (await known or b"")[:1] == bytes([15])
    assert REQUEST_TIMEOUT > 1
    tunnel.abort()


async def test_silence_is_counted_from_what_is_received_not_from_what_is_sent(
    network: Network, server: MemoryServer
) -> None:
    tunnel = await connected(server)
    await asyncio.sleep(50)
    network.wires[1].stuck = True
    request = asyncio.create_task(tunnel.request(b"keepalive@openssh.com", b"", 100))
    await asyncio.sleep(25)
    assert tunnel.silent_for == pytest.approx(75, abs=0.1)
    network.wires[1].drain()
    await request
    assert tunnel.silent_for < 1
    tunnel.abort()


async def test_a_server_that_says_goodbye(network: Network, server: MemoryServer) -> None:
    tunnel = await connected(server)
    (session,) = server.sessions
    session.socket.disconnect("not told to anybody")
    await settle()
    assert str(tunnel.ended.result()) == f"the server disconnected, code {numbers.BY_APPLICATION}"
    assert network.open == []


async def test_a_server_may_not_open_channels(network: Network, server: MemoryServer) -> None:
    await connected(server)
    (session,) = server.sessions
    assert session.tunnel is not None
    endpoint = RecordingEndpoint()
    session.tunnel._connection.open(b"direct-tcpip", Target("127.0.0.1", 22).encode(), endpoint)
    session.tunnel._connection.open(b"forwarded-tcpip", b"", second := RecordingEndpoint())
    await settle()
    assert endpoint.events == second.events == [("refused", numbers.ADMINISTRATIVELY_PROHIBITED, "")]
    assert len(network.dialled) == 1


async def test_a_servers_requests_are_answered(network: Network, server: MemoryServer) -> None:
    asked: list[tuple[bytes, bytes]] = []

    def answer(name: bytes, payload: memoryview) -> bytes | None:
        asked.append((name, bytes(payload)))
        return b"reply" if name == b"known" else None

    tunnel = make_tunnel(server.entry, answer=answer)
    await tunnel.connect()
    (session,) = server.sessions
    assert session.tunnel is not None
    replies: list[bytes | None] = []
    session.tunnel._connection.request(b"known", b"payload", replies.append)
    session.tunnel._connection.request(b"unknown", b"", replies.append)
    await settle()
    assert asked == [(b"known", b"payload"), (b"unknown", b"")]
    assert replies == [b"reply", None]
    tunnel.abort()


@pytest.mark.parametrize("moment", [0.0, 0.5])
async def test_cancelling_closes_what_was_begun(
    network: Network, server: MemoryServer, moment: float
) -> None:
    silent = Destination()
    network.places[server.address, 4001] = lambda: silent
    network.delays[server.address, 4001] = 0.25
    tunnel = make_tunnel(server.entry)
    task = asyncio.create_task(tunnel.connect())
    await asyncio.sleep(moment)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle()
    assert tunnel.ended.done()
    assert network.open == []
    assert silent.lost == (moment > 0)


async def test_a_protocol_error_ends_it_with_its_reason(network: Network, server: MemoryServer) -> None:
    tunnel = await connected(server)
    network.wires[0].arrive(bytes(100))
    await settle()
    assert isinstance(tunnel.ended.result(), RemoteProtocolError)
    assert network.open == []


async def test_a_handshake_reply_that_cannot_be_read(
    server: MemoryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def request(name: bytes, payload: bytes) -> bytes:
        return b"not a response"

    tunnel = make_tunnel(server.entry)
    monkeypatch.setattr(tunnel, "request", request)
    with pytest.raises(RemoteProtocolError):
        await tunnel.handshake()


@pytest.mark.parametrize("encoding", ["cbor", "json"])
async def test_both_encodings_are_understood(server: MemoryServer, encoding: str) -> None:
    tunnel = make_tunnel(server.entry, TargetAPIEncoding=encoding)
    await tunnel.connect()
    assert (await tunnel.handshake()).client_region == "None"
    parameters = api.connected_parameters(tunnel.identity, tunnel.dial_parameters, tunnel._rng, "", 5)
    payload = api.encode(tunnel.identity, tunnel.dial_parameters, parameters)
    reply = await tunnel.request(b"psiphon-connected", payload)
    assert api.connected_timestamp(reply).endswith(":00:00Z")
    status = api.status_payload(tunnel.identity, tunnel.dial_parameters, tunnel._rng, {"(OTHER)": 1})
    assert await tunnel.request(b"psiphon-status", status) is not None
    tunnel.abort()


async def test_the_login_has_one_deadline_however_slowly_the_server_talks(
    network: Network, server: MemoryServer
) -> None:
    class Drip(Destination):
        def data_received(self, data: bytes) -> None:
            if not self.received:
                self._drip()
            super().data_received(data)

        def _drip(self) -> None:
            if not self.lost:
                self.send(b"\0")
                asyncio.get_running_loop().call_later(1, self._drip)

    network.places[server.address, 4002] = Drip
    tunnel = make_tunnel(server.entry, "SSH")
    with pytest.raises((HandshakeTimeout, RemoteProtocolError)):
        await tunnel.connect()
    assert now() <= tunnel_module.CONNECT_TIMEOUT * tunnel.latency
    await settle()
    assert network.open == []
