"""Attack: clients that want more of a server than they were given: they forge, share and come again."""

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.memory_network import MemoryServer, Network, make_tunnel, settle

from headrace.base.rng import SeededRng
from headrace.client.tunnel import Tunnel
from headrace.codec.handshake_response import HandshakeResponse
from headrace.documents.authorizations import Authorization, AuthorizationKey, KeyRing
from headrace.server import authorizations
from headrace.server.generate import TRAFFIC_RULES_FILE

pytestmark = pytest.mark.virtual_time

LATER = 4_000_000_000.0
KEY = AuthorizationKey.generate("boost", SeededRng(1))
PLAIN = AuthorizationKey.generate("plain", SeededRng(2))
ATTACKER = AuthorizationKey.generate("boost", SeededRng(3))
RING = KeyRing(keys=[KEY.verification_key, PLAIN.verification_key])
FREE, BOOSTED, REVOKED = 1_000_000, 2_000_000, 3_000_000
RULES = {
    "DefaultRules": {"RateLimits": {"ReadBytesPerSecond": FREE}},
    "FilteredRules": [
        {"Filter": {"AuthorizationsRevoked": True}, "Rules": {"RateLimits": {"ReadBytesPerSecond": REVOKED}}},
        {
            "Filter": {"AuthorizedAccessTypes": ["boost"]},
            "Rules": {"RateLimits": {"ReadBytesPerSecond": BOOSTED}},
        },
    ],
}
GOOD, GOOD_ID = KEY.issue(b"order 17", LATER)


def use(server: MemoryServer, directory: Path, rules: dict[str, Any]) -> None:
    (directory / TRAFFIC_RULES_FILE).write_text(json.dumps(rules))
    server.worker.reload(server.worker.shared.reloaded(directory))


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryServer:
    network = Network.install(monkeypatch)
    server = MemoryServer(network, tmp_path, AccessControlVerificationKeyRing=msgspec.to_builtins(RING))
    use(server, tmp_path, RULES)
    return server


async def client(server: MemoryServer, **settings: Any) -> tuple[Tunnel, HandshakeResponse]:
    tunnel = make_tunnel(server.entry, **settings)
    await tunnel.connect()
    return tunnel, await tunnel.handshake()


def rates(server: MemoryServer) -> list[int]:
    """Return the rates in force, of all tunnels."""
    limits = [session._rules.limits for session in server.sessions if session._rules is not None]
    return sorted(each.read_bytes_per_second for each in limits)


def changed(change: Callable[[dict[str, Any]], None], text: str = GOOD) -> str:
    """Return an authorization with something else in it, and the signature that was there."""
    members = json.loads(base64.b64decode(text))
    change(members)
    return base64.b64encode(json.dumps(members, separators=(",", ":")).encode()).decode()


def of_another_type(members: dict[str, Any]) -> None:
    """That of the cheaper access type, presented as the other."""
    members["Authorization"]["AccessType"] = "boost"


def under_our_key(members: dict[str, Any]) -> None:
    """Signed by somebody else, in the name of the key on the ring."""
    members["SigningKeyID"] = base64.b64encode(KEY.id).decode()


def forever(members: dict[str, Any]) -> None:
    members["Authorization"]["Expires"] = "9999-01-02T03:04:05Z"


FORGED = {
    "another type": changed(of_another_type, PLAIN.issue(b"a", LATER)[0]),
    "another issuer": ATTACKER.issue(b"a", LATER)[0],
    "in our name": changed(under_our_key, ATTACKER.issue(b"a", LATER)[0]),
    "prolonged": changed(forever, KEY.issue(b"a", 1000.0)[0]),
    "expired": KEY.issue(b"a", 1000.0)[0],
}


@pytest.mark.parametrize("encoding", ["cbor", "json"])
@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED)
async def test_a_forged_authorization_is_worth_nothing(
    server: MemoryServer, text: str, encoding: str
) -> None:
    tunnel, response = await client(server, Authorizations=[text], TargetAPIEncoding=encoding)
    assert (response.active_authorization_ids, response.upstream_bytes_per_second) == ([], FREE)
    assert rates(server) == [FREE]
    tunnel.abort()


@pytest.mark.parametrize("encoding", ["cbor", "json"])
async def test_the_true_one_is(server: MemoryServer, encoding: str) -> None:
    tunnel, response = await client(server, Authorizations=[GOOD], TargetAPIEncoding=encoding)
    assert (response.active_authorization_ids, response.upstream_bytes_per_second) == ([GOOD_ID], BOOSTED)
    tunnel.abort()


async def test_one_authorization_shared_by_many_serves_one_at_a_time(server: MemoryServer) -> None:
    tunnels = [(await client(server, Authorizations=[GOOD]))[0] for _ in range(10)]
    assert rates(server) == [BOOSTED] + [REVOKED] * 9
    for tunnel in tunnels:
        tunnel.abort()


async def test_sharing_a_session_too_leaves_one_tunnel(server: MemoryServer) -> None:
    tunnels = [(await client(server, Authorizations=[GOOD], SessionID="ab" * 16))[0] for _ in range(10)]
    await settle()
    assert rates(server) == [BOOSTED]
    assert server.worker.tunnels == 1
    tunnels[-1].abort()


async def test_signatures_are_not_verified_without_an_end(
    server: MemoryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[str] = []
    verify = KeyRing.verify

    def look(ring: KeyRing, text: str, now: float) -> Authorization:
        looked_at.append(text)
        return verify(ring, text, now)

    monkeypatch.setattr(KeyRing, "verify", look)
    many = [ATTACKER.issue(str(number).encode(), LATER)[0] for number in range(60)]
    tunnel, response = await client(server, Authorizations=many)
    assert response.active_authorization_ids == []
    assert len(looked_at) == authorizations.MOST
    tunnel.abort()


async def test_what_is_free_is_free_once_in_a_session(server: MemoryServer, tmp_path: Path) -> None:
    limits = {"ReadUnthrottledBytes": 10**9, "ReadBytesPerSecond": FREE, "UnthrottleFirstTunnelOnly": True}
    use(server, tmp_path, {"DefaultRules": {"RateLimits": limits}})
    free = []
    for _ in range(5):
        tunnel, _ = await client(server, SessionID="cd" * 16)
        (session,) = server.sessions
        assert session._rules is not None
        free.append(session._rules.limits.read_unthrottled_bytes)
        tunnel.abort()
        await asyncio.sleep(60)
    assert free == [10**9, 0, 0, 0, 0]
