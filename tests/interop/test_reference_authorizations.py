"""Authorizations between us and the deployed programs: ours at their server, their client's at ours.

HEADRACE_PSIPHOND, HEADRACE_CONSOLE_CLIENT     where the programs are; without them these tests are skipped
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.interop.ours import our_client, our_server
from tests.interop.reference import console_client, psiphond

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.rng import SYSTEM_RNG
from headrace.documents.authorizations import AuthorizationKey, KeyRing
from headrace.documents.entry_fields import encode_fields

pytestmark = [pytest.mark.reference, pytest.mark.timeout(90)]

KEY = AuthorizationKey.generate("speed-boost", SYSTEM_RNG)
OTHER = AuthorizationKey.generate("speed-boost", SYSTEM_RNG)
RING: dict[str, Any] = msgspec.to_builtins(KeyRing(keys=[KEY.verification_key]))
RULES = {
    "DefaultRules": {"RateLimits": {"ReadBytesPerSecond": 1_000_000, "WriteBytesPerSecond": 2_000_000}},
    "FilteredRules": [
        {
            "Filter": {"AuthorizedAccessTypes": ["speed-boost"]},
            "Rules": {"RateLimits": {"ReadBytesPerSecond": 3_000_000, "WriteBytesPerSecond": 4_000_000}},
        },
    ],
}
ENCODINGS = pytest.mark.parametrize("encoding", ["cbor", "json"])


def presented() -> tuple[list[str], str]:
    """Return what a client presents, of which one counts, and the ID of that one."""
    now = SYSTEM_CLOCK.time()
    expired, _ = KEY.issue(b"expired", now - 60)
    strange, _ = OTHER.issue(b"strange", now + 600)
    good, identity = KEY.issue(SYSTEM_RNG.bytes(8), now + 600)
    return [expired, strange, good], identity


def settings(directory: Path) -> dict[str, object]:
    """Return what either server is configured with."""
    rules = directory / "rules.config"
    rules.write_text(json.dumps(RULES))
    return {"AccessControlVerificationKeyRing": RING, "TrafficRulesFilename": str(rules)}


def told(lines: list[str], notice: str) -> list[dict[str, Any]]:
    """Return what the notices of a kind say."""
    notices = [json.loads(line) for line in lines if f'"noticeType":"{notice}"' in line]
    return [notice["data"] for notice in notices]


def check(lines: list[str], identity: str) -> None:
    """One authorization counted, and it was worth what the rules say."""
    assert [data["IDs"] for data in told(lines, "ActiveAuthorizationIDs")] == [[identity]]
    (rates,) = told(lines, "TrafficRateLimits")
    assert (rates["upstreamBytesPerSecond"], rates["downstreamBytesPerSecond"]) == (3_000_000, 4_000_000)


@ENCODINGS
async def test_their_server_takes_ours(encoding: str, tmp_path: Path) -> None:
    texts, identity = presented()
    async with (
        psiphond(tmp_path / "server", **settings(tmp_path)) as entry,
        our_client(entry, "OSSH", Authorizations=texts, TargetAPIEncoding=encoding) as (_, said),
    ):
        check(said.getvalue().splitlines(), identity)


@ENCODINGS
async def test_our_server_takes_what_their_client_presents(encoding: str, tmp_path: Path) -> None:
    texts, identity = presented()
    async with our_server(tmp_path / "server", overrides=settings(tmp_path)) as server:
        entry = encode_fields(dict(server.entry))
        client_settings = {"TargetServerEntry": entry, "Authorizations": texts, "TargetAPIEncoding": encoding}
        async with console_client(tmp_path / "client", "OSSH", client_settings) as (client, _):
            check(client.lines, identity)
