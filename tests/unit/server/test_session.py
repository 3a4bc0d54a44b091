"""One client's tunnel at the server: who gets in, what it may ask and when, and every way it ends."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.memory_network import Destination, MemoryServer, Network, Wire, make_tunnel, settle

from headrace.base.errors import NetworkError, RemoteProtocolError
from headrace.client import api
from headrace.client.tunnel import Tunnel
from headrace.codec.handshake_response import HandshakeResponse
from headrace.server.patience import GRACE, JITTER
from headrace.server.worker import SILENCE, SWEEP
from headrace.ssh import numbers
from headrace.ssh.forwarding import DIRECT_TCPIP, DIRECT_TCPIP_UNSPLIT, LIVENESS
from headrace.ssh.forwarding import Destination as Target
from headrace.ssh.wire import string, u32
from headrace.testing.memory_server import HANDSHAKE_TIMEOUT
from headrace.testing.peers import RecordingEndpoint

pytestmark = pytest.mark.virtual_time

ORIGIN = ("8.8.8.8", 80)
REFUSED = ("refused", numbers.ADMINISTRATIVELY_PROHIBITED, "")
FORBIDDEN = ("refused", numbers.ADMINISTRATIVELY_PROHIBITED, "forbidden")
UDPGW = Target("127.0.0.1", 7300)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def server(network: Network, tmp_path: Path) -> MemoryServer:
    return MemoryServer(network, tmp_path)


async def logged_in(server: MemoryServer, protocol: str = "OSSH") -> Tunnel:
    tunnel = make_tunnel(server.entry, protocol)
    await tunnel.connect()
    return tunnel


async def connected(server: MemoryServer, protocol: str = "OSSH") -> Tunnel:
    tunnel = await logged_in(server, protocol)
    await tunnel.handshake()
    return tunnel


async def open_channel(tunnel: Tunnel, kind: bytes, extra: bytes) -> RecordingEndpoint:
    endpoint = RecordingEndpoint()
    tunnel.open_channel(kind, extra, endpoint)
    await settle()
    return endpoint


def now() -> float:
    return asyncio.get_running_loop().time()


# ---- log-in -----------------------------------------------------------------------------------------------

SESSION_ID = "0123456789abcdef" * 2


@pytest.mark.parametrize("protocol", ["OSSH", "SSH"])
@pytest.mark.parametrize(
    ("form", "admitted"),
    [
        ('{{"SessionId":"{id}","SshPassword":"{password}"}}', True),
        ('{{"SshPassword":"{password}","unknown":[1]}}', True),
        ("{id}{password}", True),
        ("{password}", False),  # without a session ID
        ("{id}", False),
        ("", False),
        ("{id}{password}x", False),
        (" {id}{password}", False),
        ('{{"SessionId":"{id}"}}', False),
        ('{{"SshPassword":""}}', False),
        ('{{"SshPassword":["{password}"]}}', False),
        ('{{"SshPassword":null}}', False),
        ('{{"sshpassword":"{password}"}}', False),
        ('["{password}"]', False),
        ('{{"SshPassword":"{password}"', False),
        ('{{"a":' + "[" * 20_000, False),
        ('{{"SshPassword":"\\ud800"}}', False),
        ('{{"SshPassword":"пароль"}}', False),
        ("\0", False),
    ],
)
async def test_passwords(
    server: MemoryServer, monkeypatch: pytest.MonkeyPatch, form: str, admitted: bool, protocol: str
) -> None:
    text = form.format(id=SESSION_ID, password=server.entry.ssh_password)
    monkeypatch.setattr(api, "password", lambda identity, dial: text)
    tunnel = make_tunnel(server.entry, protocol)
    if admitted:
        await tunnel.connect()
        assert server.worker.tunnels == 1
        tunnel.abort()
    else:
        with pytest.raises(RemoteProtocolError, match="refused the password"):
            await tunnel.connect()
        assert server.worker.tunnels == 0


async def test_upper_case_is_no_session_id(server: MemoryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SESSION_ID.upper() + server.entry.ssh_password
    monkeypatch.setattr(api, "password", lambda identity, dial: text)
    with pytest.raises(RemoteProtocolError, match="refused the password"):
        await make_tunnel(server.entry).connect()


@pytest.mark.parametrize("user", ["", "root", "psiphon", "имя"])
async def test_the_right_password_for_another_user(server: MemoryServer, user: str) -> None:
    with pytest.raises(RemoteProtocolError, match="refused the password"):
        await make_tunnel(server.entry, change={"ssh_username": user}).connect()


# ---- requests ---------------------------------------------------------------------------------------------


async def test_forwards_are_refused_until_the_handshake(network: Network, server: MemoryServer) -> None:
    network.places[ORIGIN] = Destination
    tunnel = await logged_in(server)
    for kind in (DIRECT_TCPIP, DIRECT_TCPIP_UNSPLIT):
        assert (await open_channel(tunnel, kind, Target(*ORIGIN).encode())).events == [FORBIDDEN]
    assert (await open_channel(tunnel, DIRECT_TCPIP, UDPGW.encode())).events == [FORBIDDEN]
    assert ORIGIN not in network.dialled
    await tunnel.handshake()
    for kind in (DIRECT_TCPIP, DIRECT_TCPIP_UNSPLIT):
        assert (await open_channel(tunnel, kind, Target(*ORIGIN).encode())).events == [("opened",)]
    tunnel.abort()


async def test_forwards_before_the_handshake_when_a_test_asks_for_them(
    network: Network, tmp_path: Path
) -> None:
    server = MemoryServer(network, tmp_path, AllowForwardsBeforeHandshake=True)
    network.places[ORIGIN] = Destination
    tunnel = await logged_in(server)
    assert (await open_channel(tunnel, DIRECT_TCPIP, Target(*ORIGIN).encode())).events == [("opened",)]
    tunnel.abort()


async def test_a_second_handshake_is_refused_and_the_tunnel_goes_on(
    network: Network, server: MemoryServer
) -> None:
    network.places[ORIGIN] = Destination
    tunnel = await connected(server)
    with pytest.raises(NetworkError, match="refused the handshake"):
        await tunnel.handshake()
    assert (await open_channel(tunnel, DIRECT_TCPIP, Target(*ORIGIN).encode())).events == [("opened",)]
    tunnel.abort()


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b"\0\1\xff", b"\0\1\xa0", b"[" * 50_000, b'{"sponsor_id": 5}']
)
async def test_a_failed_handshake_is_answered_and_ends_the_tunnel(
    network: Network, server: MemoryServer, payload: bytes
) -> None:
    tunnel = await logged_in(server)
    assert await tunnel.request(b"psiphon-handshake", payload) is None
    await settle()
    assert tunnel.ended.done()
    assert network.open == []
    assert server.sessions == set()


async def test_what_follows_a_failed_handshake_neither_counts_nor_hastens_the_end(
    server: MemoryServer,
) -> None:
    tunnel = await logged_in(server)
    requests = [tunnel.request(b"psiphon-handshake", b"{}") for _ in range(5)]
    assert await asyncio.gather(*requests) == [None] * 5
    await settle()
    assert server.worker.counts["closed.bad_handshake"] == 1


async def test_other_requests_out_of_turn_are_refused_and_change_nothing(server: MemoryServer) -> None:
    tunnel = await logged_in(server)
    for name in (b"psiphon-connected", b"psiphon-status", b"tcpip-forward", b"", b"psiphon-nonsense"):
        assert await tunnel.request(name, b"{}") is None
    assert isinstance(await tunnel.handshake(), HandshakeResponse)
    assert await tunnel.request(b"psiphon-connected", b"garbage") is None
    assert not tunnel.ended.done()
    tunnel.abort()


@pytest.mark.parametrize("payload", [b"", bytes(256), bytes(30_000)])
async def test_a_keep_alive_is_answered_at_any_time(server: MemoryServer, payload: bytes) -> None:
    tunnel = await logged_in(server)
    before = await tunnel.request(b"keepalive@openssh.com", payload)
    await tunnel.handshake()
    after = await tunnel.request(b"keepalive@openssh.com", payload)
    for reply in (before, after):
        assert reply is not None
        assert reply[0] == 15
        assert reply[1] == 1  # Go's binary time, version 1
        assert 16 <= len(reply) <= 16 + 256
    tunnel.abort()


# ---- channels ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [b"session", b"x11", b"forwarded-tcpip", b"tun@psiphon.ca", b"", b"DIRECT-TCPIP", b"\xff" * 1000]
)
async def test_other_channels_are_refused(server: MemoryServer, kind: bytes) -> None:
    tunnel = await connected(server)
    assert (await open_channel(tunnel, kind, b"extra")).events == [REFUSED]
    assert not tunnel.ended.done()
    tunnel.abort()


@pytest.mark.parametrize(
    "extra",
    [
        b"",
        string(b"example.org"),
        string(b"example.org") + u32(0) + string(b"") + u32(0),
        string(b"example.org") + u32(65536) + string(b"") + u32(0),
        string(b"") + u32(80) + string(b"") + u32(0),
        string(b"x" * 256) + u32(80) + string(b"") + u32(0),
        string(b"\xff\xfe") + u32(80) + string(b"") + u32(0),
        u32(0xFFFFFFFF) + b"example.org",
    ],
    ids=["empty", "cut", "port 0", "port 65536", "no name", "long name", "no text", "long length"],
)
async def test_a_forward_to_nowhere_is_refused_and_costs_nobody_else_anything(
    network: Network, server: MemoryServer, extra: bytes
) -> None:
    """Any application can ask a client's proxy for port 0: the others' forwards must live."""
    network.places[ORIGIN] = Destination
    tunnel = await connected(server)
    other = await open_channel(tunnel, DIRECT_TCPIP, Target(*ORIGIN).encode())
    refused = await open_channel(tunnel, DIRECT_TCPIP, extra)
    assert refused.events[0][0] == "refused"
    assert other.events == [("opened",)]
    assert not tunnel.ended.done()
    tunnel.abort()


async def test_liveness_once_before_the_handshake_and_freely_after_it(server: MemoryServer) -> None:
    extra = json.dumps({"u": 10, "d": 1000}).encode()
    tunnel = await logged_in(server)
    first = await open_channel(tunnel, LIVENESS, extra)
    first.send(bytes(10))
    await settle()
    assert len(first.received) == 1000
    assert first.events[-1] == ("closed", None)
    assert (await open_channel(tunnel, LIVENESS, extra)).events == [REFUSED]
    await tunnel.handshake()
    for _ in range(3):
        endpoint = await open_channel(tunnel, LIVENESS, extra)
        assert endpoint.events[0] == ("opened",)
        assert len(endpoint.received) == 1000
    tunnel.abort()


@pytest.mark.parametrize(
    "extra", [b"", b"{", b"[]", b'{"d":-1}', b'{"d":10485761}', b'{"u":10485761}', b'{"d":1e3}', b"[" * 1000]
)
async def test_a_liveness_test_that_asks_for_too_much_or_nonsense(server: MemoryServer, extra: bytes) -> None:
    tunnel = await connected(server)
    assert (await open_channel(tunnel, LIVENESS, extra)).events == [REFUSED]
    assert not tunnel.ended.done()
    tunnel.abort()


async def test_one_udpgw_channel_at_a_time_the_latest(server: MemoryServer) -> None:
    tunnel = await connected(server)
    first = await open_channel(tunnel, DIRECT_TCPIP, UDPGW.encode())
    assert first.events == [("opened",)]
    second = await open_channel(tunnel, DIRECT_TCPIP, UDPGW.encode())
    assert first.events[-1] == ("closed", None)
    assert second.events == [("opened",)]
    assert (UDPGW.host, UDPGW.port) not in server.network.dialled
    tunnel.abort()


async def test_no_more_channels_than_allowed(network: Network, server: MemoryServer) -> None:
    server.worker.shared = replace(server.worker.shared, max_channels=10)
    network.places[ORIGIN] = Destination
    tunnel = await connected(server)
    endpoints = [await open_channel(tunnel, DIRECT_TCPIP, Target(*ORIGIN).encode()) for _ in range(12)]
    assert [endpoint.events[0][0] for endpoint in endpoints] == ["opened"] * 10 + ["refused"] * 2
    assert endpoints[-1].events[0][1] == numbers.RESOURCE_SHORTAGE
    assert endpoints[0].channel is not None
    endpoints[0].channel.close()  # makes room for another
    await settle()
    again = await open_channel(tunnel, DIRECT_TCPIP, Target(*ORIGIN).encode())
    assert again.events == [("opened",)]
    tunnel.abort()


# ---- endings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [30_000, 7_000])
@pytest.mark.parametrize("reached", ["nothing", "half a preamble", "preamble", "refused"])
async def test_the_handshakes_deadline_depends_on_nothing_but_the_server(
    network: Network, tmp_path: Path, reached: str, timeout: int
) -> None:
    server = MemoryServer(network, tmp_path, SSHHandshakeTimeoutMilliseconds=timeout)
    tcp = server.probe()
    preamble = server.preamble(1)
    tcp.arrive(
        {
            "nothing": b"",
            "half a preamble": preamble[:20],
            "preamble": preamble,
            "refused": b"GET /" * 20_000,
        }[reached]
    )
    await asyncio.sleep(100)
    deadline = timeout / 1000
    (fin, _), (close, _) = tcp.events
    assert tcp.log == ["fin", "close"]
    assert deadline <= fin <= deadline * (1 + JITTER)
    assert GRACE[0] <= (close - fin) / deadline <= GRACE[1]
    assert bool(tcp.written) == (reached == "preamble")
    assert server.sessions == set()


async def test_a_handshake_that_drips_ends_at_the_same_moment(server: MemoryServer) -> None:
    tcp = server.probe("SSH")
    for second in range(60):
        tcp.arrive(
            b"SSH-2.0-OpenSSH_9.6 slowly ........................................."[second : second + 1]
        )
        await asyncio.sleep(1)
    fin, what = tcp.events[0]
    assert what == "fin"
    assert HANDSHAKE_TIMEOUT <= fin <= HANDSHAKE_TIMEOUT * (1 + JITTER)


@pytest.mark.parametrize("sent", [0, 23, 24, 100, 70_000])
async def test_a_stranger_who_closes_his_side_sees_us_close_ours_within_a_moment(
    server: MemoryServer, sent: int
) -> None:
    tcp = server.probe()
    tcp.arrive(bytes(sent))
    await asyncio.sleep(1)
    tcp.finish()
    await asyncio.sleep(1)
    ((closed, what),) = tcp.events
    assert what == "close"
    assert 1 < closed < 1 + HANDSHAKE_TIMEOUT * JITTER
    assert server.sessions == set()


async def test_a_client_who_closes_his_side_is_let_go_at_once(server: MemoryServer) -> None:
    tcp = server.probe()
    tcp.arrive(server.preamble(1))
    tcp.finish()
    assert tcp.events == [(0.0, "close")]


async def test_the_handshakes_deadline_is_not_the_tunnels(server: MemoryServer) -> None:
    tunnel = await logged_in(server)
    await asyncio.sleep(100)
    assert not tunnel.ended.done()
    tunnel.abort()


async def test_a_silent_tunnel_is_given_up_after_five_minutes(network: Network, tmp_path: Path) -> None:
    server = MemoryServer(network, tmp_path, sweeping=True)
    tunnel = await connected(server)
    begun = now()
    await tunnel.ended
    assert SILENCE - SWEEP <= now() - begun <= SILENCE + 2 * SWEEP
    assert server.worker.counts["closed.silent"] == 1
    await settle()
    assert network.open == []
    await server.worker.stop()


async def test_a_keep_alive_now_and_then_keeps_it(network: Network, tmp_path: Path) -> None:
    server = MemoryServer(network, tmp_path, sweeping=True)
    tunnel = await connected(server)
    for _ in range(20):
        await asyncio.sleep(290)
        assert await tunnel.request(b"keepalive@openssh.com", b"")
    tunnel.abort()
    await server.worker.stop()


async def test_what_we_send_does_not_keep_it(network: Network, tmp_path: Path) -> None:
    """The client may be gone without a trace while a download fills the buffers of the network."""
    server = MemoryServer(
        network, tmp_path, sweeping=True, rules={"IdleTCPPortForwardTimeoutMilliseconds": 0}
    )
    origin = Destination()
    network.places[ORIGIN] = lambda: origin
    tunnel = await connected(server)
    await open_channel(tunnel, DIRECT_TCPIP, Target(*ORIGIN).encode())
    network.wires[0].stuck = True  # nothing from the client arrives any more
    begun = now()
    while not tunnel.ended.done() and now() - begun < 1000:
        origin.send(b"x")
        await asyncio.sleep(1)
    assert SILENCE - SWEEP <= now() - begun <= SILENCE + 2 * SWEEP
    assert server.worker.counts["closed.silent"] == 1
    await server.worker.stop()


async def test_a_tunnel_that_breaks_takes_its_forwards_along(network: Network, server: MemoryServer) -> None:
    origins = [Destination() for _ in range(3)]
    waiting = iter(origins)
    network.places[ORIGIN] = lambda: next(waiting)
    tunnel = await connected(server)
    for _ in origins:
        await open_channel(tunnel, DIRECT_TCPIP, Target(*ORIGIN).encode())
    tunnel.abort()
    await settle()
    assert all(origin.lost for origin in origins)
    assert network.open == []
    assert server.sessions == set()


async def test_garbage_in_a_tunnel_ends_that_tunnel_only(network: Network, server: MemoryServer) -> None:
    broken, whole = await connected(server), await connected(server)
    network.wires[1].arrive(bytes(200))
    await settle()
    assert broken.ended.done()
    assert not whole.ended.done()
    assert await whole.request(b"keepalive@openssh.com", b"")
    whole.abort()


# ---- rates ------------------------------------------------------------------------------------------------


def rates(**limits: object) -> dict[str, object]:
    return {"RateLimits": limits, "IdleTCPPortForwardTimeoutMilliseconds": 0}


class Flow:
    """A port forward through which a lot is to go."""

    def __init__(self, network: Network) -> None:
        self.origin = Destination()
        network.places[ORIGIN] = lambda: self.origin

    async def open(self, tunnel: Tunnel) -> "Flow":
        self.near = await open_channel(tunnel, DIRECT_TCPIP, Target(*ORIGIN).encode())
        while not self.near.events:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return self

    async def down(self, size: int) -> float:
        """Move bytes down; return how many seconds it took."""
        begun, wanted = now(), len(self.near.received) + size
        self.origin.send(bytes(size))
        while len(self.near.received) < wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return now() - begun

    async def up(self, size: int) -> float:
        begun, wanted = now(), len(self.origin.received) + size
        left = size
        while len(self.origin.received) < wanted:
            assert self.near.channel is not None
            if piece := min(left, self.near.channel.room, 4096):
                self.near.send(bytes(piece))
                left -= piece
            await asyncio.sleep(0.05 if not piece else 0)
        return now() - begun


# A burst goes out whole and is paid for afterwards, so the last one comes early: the figures are that exact.
BURST = 256 * 1024


async def test_rates_hold_in_each_direction_from_the_handshake_on(network: Network, tmp_path: Path) -> None:
    server = MemoryServer(
        network, tmp_path, rules=rates(ReadBytesPerSecond=50_000, WriteBytesPerSecond=100_000)
    )
    tunnel = await logged_in(server)
    response = await tunnel.handshake()
    assert (response.upstream_bytes_per_second, response.downstream_bytes_per_second) == (50_000, 100_000)
    flow = await Flow(network).open(tunnel)
    assert (10_000_000 - BURST) / 100_000 < await flow.down(10_000_000) < 102
    assert (5_000_000 - BURST) / 50_000 < await flow.up(5_000_000) < 103
    tunnel.abort()


async def test_an_allowance_comes_first(network: Network, tmp_path: Path) -> None:
    limits = rates(
        ReadUnthrottledBytes=1_000_000,
        ReadBytesPerSecond=50_000,
        WriteUnthrottledBytes=1_000_000,
        WriteBytesPerSecond=50_000,
    )
    server = MemoryServer(network, tmp_path, rules=limits)
    tunnel = await connected(server)
    flow = await Flow(network).open(tunnel)
    assert await flow.down(900_000) < 1
    assert await flow.up(900_000) < 1
    for move in (flow.down, flow.up):
        assert (1_900_000 - BURST) / 50_000 < await move(2_000_000) < 41
    tunnel.abort()


async def test_one_tunnels_rate_is_not_anothers(network: Network, tmp_path: Path) -> None:
    server = MemoryServer(network, tmp_path, rules=rates(WriteBytesPerSecond=50_000))
    first, second = await connected(server), await connected(server)
    flows = [await Flow(network).open(first), await Flow(network).open(second)]
    took = await asyncio.gather(*(flow.down(2_000_000) for flow in flows))
    assert (2_000_000 - BURST) / 50_000 < min(took) <= max(took) < 41
    first.abort()
    second.abort()


async def test_no_rates_no_waiting(network: Network, server: MemoryServer) -> None:
    tunnel = await connected(server)
    flow = await Flow(network).open(tunnel)
    assert await flow.down(3_000_000) < 1
    tunnel.abort()


async def test_a_tunnel_ends_when_its_allowance_is_used_up_if_the_rules_say_so(
    network: Network, tmp_path: Path
) -> None:
    limits = rates(
        ReadUnthrottledBytes=1_000_000,
        ReadBytesPerSecond=10_000,
        WriteUnthrottledBytes=300_000,
        WriteBytesPerSecond=10_000,
        CloseAfterExhausted=True,
    )
    server = MemoryServer(network, tmp_path, rules=limits, sweeping=True)
    tunnel = await connected(server)
    flow = await Flow(network).open(tunnel)
    await flow.down(200_000)
    await asyncio.sleep(3 * SWEEP)
    assert not tunnel.ended.done()
    flow.origin.send(bytes(200_000))
    await asyncio.sleep(2 * SWEEP)
    assert tunnel.ended.done()
    await server.worker.stop()


async def test_an_allowance_without_a_rate_ends_the_tunnel_too(network: Network, tmp_path: Path) -> None:
    limits = rates(ReadUnthrottledBytes=1_000_000, WriteUnthrottledBytes=300_000, CloseAfterExhausted=True)
    server = MemoryServer(network, tmp_path, rules=limits, sweeping=True)
    tunnel = await connected(server)
    flow = await Flow(network).open(tunnel)
    flow.origin.send(bytes(400_000))
    await settle()
    assert tunnel.ended.done()  # at once
    assert server.worker.counts["closed.exhausted"] == 1
    await server.worker.stop()


async def test_a_client_that_does_not_read_its_end_is_dropped(network: Network, tmp_path: Path) -> None:
    server = MemoryServer(network, tmp_path, sweeping=True)
    tunnel = await connected(server)
    (session,) = server.sessions
    wire = session.socket._tcp
    assert isinstance(wire, Wire)
    wire.stuck = True
    await asyncio.sleep(SILENCE + 3 * SWEEP)
    assert wire.log[-2:] == ["close", "abort"]
    assert not server.sessions
    await settle()
    assert tunnel.ended.done()
    await server.worker.stop()
