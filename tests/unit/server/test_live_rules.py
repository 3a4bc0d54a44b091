"""Rules while a tunnel is open: other files, authorizations that end, a client that comes again, alerts."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.memory_network import Destination, MemoryServer, Network, make_tunnel, settle
from tests.unit.server.test_authorizations import NOW, RING, Now, boost, ports

from headrace.client.tunnel import Tunnel
from headrace.codec.handshake_response import HandshakeResponse
from headrace.server.generate import TRAFFIC_RULES_FILE
from headrace.server.worker import SWEEP
from headrace.ssh.forwarding import DIRECT_TCPIP
from headrace.ssh.forwarding import Destination as Target
from headrace.testing.peers import RecordingEndpoint

pytestmark = pytest.mark.virtual_time

Reload = Callable[..., None]

ORIGIN = ("8.8.8.8", 80)
SESSION = "0123456789abcdef" * 2


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network.install(monkeypatch)
    network.places[ORIGIN] = Destination
    return network


@pytest.fixture
def server(network: Network, tmp_path: Path) -> MemoryServer:
    """A server with keys, at a time of its own."""
    server = MemoryServer(network, tmp_path, AccessControlVerificationKeyRing=msgspec.to_builtins(RING))
    server.worker.shared = replace(server.worker.shared, clock=Now())
    server.worker.authorizations._clock = server.worker.shared.clock
    return server


@pytest.fixture
def reload(server: MemoryServer, tmp_path: Path) -> Reload:
    """Give the server other rules."""

    def reload(*filtered: dict[str, Any], **rules: Any) -> None:
        content = json.dumps({"DefaultRules": rules, "FilteredRules": filtered})
        (tmp_path / TRAFFIC_RULES_FILE).write_text(content)
        server.worker.reload(server.worker.shared.reloaded(tmp_path))

    return reload


async def connected(server: MemoryServer, **options: Any) -> tuple[Tunnel, HandshakeResponse]:
    tunnel = make_tunnel(server.entry, **options)
    await tunnel.connect()
    return tunnel, await tunnel.handshake()


async def forward(tunnel: Tunnel, port: int = ORIGIN[1]) -> RecordingEndpoint:
    endpoint = RecordingEndpoint()
    tunnel.open_channel(DIRECT_TCPIP, Target(ORIGIN[0], port).encode(), endpoint)
    while not endpoint.events:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return endpoint


def now() -> float:
    return asyncio.get_running_loop().time()


async def received(endpoint: RecordingEndpoint, size: int) -> float:
    """Wait until so much is there; return how many seconds it took."""
    begun = now()
    while len(endpoint.received) < size:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return now() - begun


# ---- another file -----------------------------------------------------------------------------------------


async def test_what_other_rules_forbid_is_refused_and_what_is_open_goes_on(
    network: Network, server: MemoryServer, reload: Reload
) -> None:
    tunnel, _ = await connected(server)
    before = await forward(tunnel)
    reload(DisallowTCPPorts=[ORIGIN[1]])
    after = await forward(tunnel)
    assert (before.events[0][0], after.events[0][0]) == ("opened", "refused")
    assert before.channel is not None
    before.send(b"still here")
    await settle()
    assert network.open
    reload()
    assert (await forward(tunnel)).events[0][0] == "opened"
    tunnel.abort()


async def test_where_fewer_are_allowed_the_next_one_ends_the_others(
    server: MemoryServer, reload: Reload
) -> None:
    tunnel, _ = await connected(server)
    flows = [await forward(tunnel) for _ in range(5)]
    reload(MaxTCPPortForwardCount=2)
    assert all(flow.channel is not None for flow in flows)
    await forward(tunnel)
    (session,) = server.sessions
    assert session.tunnel is not None
    assert session.tunnel.forwards.count == 2
    tunnel.abort()


async def test_idle_times_are_those_of_now(server: MemoryServer, reload: Reload) -> None:
    tunnel, _ = await connected(server)
    await forward(tunnel)
    (session,) = server.sessions
    assert session.tunnel is not None
    reload(IdleTCPPortForwardTimeoutMilliseconds=0)
    for _ in range(100):
        session.sweep(SWEEP, 1e9)
    assert session.tunnel.forwards.count == 1
    reload(IdleTCPPortForwardTimeoutMilliseconds=1000)
    session.sweep(SWEEP, 1e9)
    await settle()
    assert session.tunnel.forwards.count == 0
    tunnel.abort()


async def test_other_rates_hold_at_once_whatever_rest_there_was(
    network: Network, server: MemoryServer, reload: Reload
) -> None:
    origin = Destination()
    network.places[ORIGIN] = lambda: origin
    tunnel, _ = await connected(server)
    flow = await forward(tunnel)
    reload(RateLimits={"WriteBytesPerSecond": 100})
    origin.send(bytes(600_000))
    await asyncio.sleep(60)  # of the thousand seconds that the first bytes want
    assert len(flow.received) < 300_000
    reload()
    assert await received(flow, 600_000) < 0.1
    tunnel.abort()


async def test_no_allowance_is_given_anew(network: Network, server: MemoryServer, reload: Reload) -> None:
    origin = Destination()
    network.places[ORIGIN] = lambda: origin
    tunnel, _ = await connected(server)
    flow = await forward(tunnel)
    origin.send(bytes(500_000))
    await received(flow, 500_000)
    for most in (1, 2, 3):
        reload(
            RateLimits={"WriteUnthrottledBytes": 400_000, "WriteBytesPerSecond": 100_000},
            MaxTCPPortForwardCount=most,
        )
    origin.send(bytes(1_000_000))
    assert 7 < await received(flow, 1_500_000) < 11
    tunnel.abort()


async def test_a_slow_client_never_rests_long(network: Network, server: MemoryServer, reload: Reload) -> None:
    """However much arrives at once, no more is taken than a second pays for."""
    origin = Destination()
    network.places[ORIGIN] = lambda: origin
    reload(RateLimits={"ReadBytesPerSecond": 20_000})
    tunnel, _ = await connected(server)
    flow = await forward(tunnel)
    assert flow.channel is not None and flow.channel.room >= 100_000
    flow.send(bytes(100_000))
    begun, heard = now(), 0
    while len(origin.received) < 100_000:
        await asyncio.sleep(2.5)
        assert len(origin.received) > heard
        heard = len(origin.received)
    assert 4 < now() - begun < 8
    tunnel.abort()


async def test_rates_before_the_handshake(server: MemoryServer, reload: Reload) -> None:
    quick, _ = await connected(server)
    quick.abort()
    reload(RateLimits={"EstablishmentReadBytesPerSecond": 500})
    begun = now()
    slow = make_tunnel(server.entry)
    await slow.connect()
    assert now() - begun > 2  # what a preamble and a key exchange take
    await slow.handshake()
    begun = now()
    for _ in range(10):
        await forward(slow)
    assert now() - begun < 3  # what was owed, and nothing for the rest
    slow.abort()


# ---- authorizations ---------------------------------------------------------------------------------------

BY_TYPE = (
    {"Filter": {"AuthorizationsRevoked": True}, "Rules": {"RateLimits": {"ReadBytesPerSecond": 1}}},
    {
        "Filter": {"AuthorizedAccessTypes": ["boost"]},
        "Rules": {"RateLimits": {"ReadBytesPerSecond": 9_000_000}, "DisallowTCPPorts": []},
    },
)


async def test_an_authorization_holds_until_it_expires(server: MemoryServer, reload: Reload) -> None:
    reload(*BY_TYPE, DisallowTCPPorts=[80])
    _, plain = await connected(server)
    tunnel, response = await connected(server, Authorizations=[ports(), boost(seconds=60)])
    assert (plain.upstream_bytes_per_second, plain.active_authorization_ids) == (0, [])
    assert response.upstream_bytes_per_second == 9_000_000
    assert len(response.active_authorization_ids) == 2
    assert (await forward(tunnel)).events[0][0] == "opened"
    clock = server.worker.shared.clock
    assert isinstance(clock, Now)
    clock.seconds = NOW + 61
    for session in server.sessions:
        session.sweep(SWEEP, 1e9)
    assert not tunnel.ended.done()
    assert (await forward(tunnel)).events[0][0] == "refused"
    tunnel.abort()


async def test_an_authorization_serves_one_session(server: MemoryServer, reload: Reload) -> None:
    reload(*BY_TYPE, DisallowTCPPorts=[80])
    text = boost()
    first, _ = await connected(server, Authorizations=[text])
    assert (await forward(first)).events[0][0] == "opened"
    second, response = await connected(server, Authorizations=[text])
    assert response.upstream_bytes_per_second == 9_000_000
    assert (await forward(second)).events[0][0] == "opened"
    assert (await forward(first)).events[0][0] == "refused"
    second.abort()
    await settle()
    third, response = await connected(server, Authorizations=[text])
    assert response.upstream_bytes_per_second == 9_000_000
    first.abort()
    third.abort()


# ---- a client that comes again ----------------------------------------------------------------------------


async def test_the_newest_tunnel_of_a_session_counts(network: Network, server: MemoryServer) -> None:
    text = boost()
    old, _ = await connected(server, SessionID=SESSION, Authorizations=[text])
    await forward(old)
    new, response = await connected(server, SessionID=SESSION, Authorizations=[text])
    await settle()
    assert old.ended.done()
    assert not new.ended.done()
    assert len(response.active_authorization_ids) == 1
    assert server.worker.counts["closed.superseded"] == 1
    assert (await forward(new)).events[0][0] == "opened"
    assert server.worker.tunnels == 1
    other, _ = await connected(server)
    assert not new.ended.done()
    new.abort()
    other.abort()


async def test_what_is_free_once_in_a_session(server: MemoryServer, reload: Reload) -> None:
    reload(
        RateLimits={
            "ReadUnthrottledBytes": 10_000_000,
            "WriteUnthrottledBytes": 10_000_000,
            "CloseAfterExhausted": True,
            "UnthrottleFirstTunnelOnly": True,
        }
    )
    first, _ = await connected(server, SessionID=SESSION)
    await settle()
    assert not first.ended.done()
    first.abort()
    await asyncio.sleep(60)
    second = make_tunnel(server.entry, SessionID=SESSION)
    await second.connect()
    await second.handshake()  # it is told before it is over
    await settle()
    assert second.ended.done()
    other, _ = await connected(server)
    assert not other.ended.done()
    other.abort()


# ---- alerts -----------------------------------------------------------------------------------------------


async def test_a_client_hears_once_that_rules_kept_it_from_a_destination(
    server: MemoryServer, reload: Reload
) -> None:
    heard: list[tuple[bytes, dict[str, object]]] = []

    def answer(name: bytes, payload: memoryview) -> bytes:
        heard.append((name, json.loads(bytes(payload))))
        return b""

    reload(DisallowTCPPorts=[80])
    tunnel, _ = await connected(server, answer=answer)
    await settle()
    assert heard == []
    for _ in range(3):
        assert (await forward(tunnel)).events[0][0] == "refused"
    assert heard == [(b"psiphon-alert", {"reason": "disallowed-traffic"})]
    endpoint = RecordingEndpoint()
    tunnel.open_channel(DIRECT_TCPIP, Target("127.0.0.1", 443).encode(), endpoint)  # the rules do not forbid
    await settle()
    assert len(heard) == 1
    tunnel.abort()
