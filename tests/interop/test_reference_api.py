"""What the deployed client is told by a server of ours is what the deployed server tells it.

    HEADRACE_CONSOLE_CLIENT, HEADRACE_PSIPHOND   where the programs are; without them these tests are skipped

Both servers have the same psinet database and the same traffic rules.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.interop.ours import CHANNEL_AND_SPONSOR, our_server
from tests.interop.programs import Program, through_socks
from tests.interop.reference import console_client, running_psiphond

from headrace.base.rng import SYSTEM_RNG
from headrace.documents.authorizations import AuthorizationKey
from headrace.documents.entry_fields import diagnostic_id, encode_fields, entry_tag
from headrace.testing.entries import make_entries

pytestmark = [pytest.mark.reference, pytest.mark.timeout(90)]

SPONSOR = CHANNEL_AND_SPONSOR["SponsorId"]
KEY = "bm90IGEgc2VjcmV0IG91dHNpZGUgdGhpcyB0ZXN0IQ=="
FORBIDDEN_PORT = 9
RULES = {
    "DefaultRules": {
        "RateLimits": {"ReadBytesPerSecond": 3_000_000, "WriteBytesPerSecond": 4_000_000},
        "DisallowTCPPorts": [FORBIDDEN_PORT],
    },
    "FilteredRules": [],
}


def day(days: int) -> str:
    """Return a time so many days from now, as the database has it."""
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


OTHERS = list(make_entries(7, capabilities=["QUIC", "ssh-api-requests"]))
PSINET = {
    "sponsors": {
        SPONSOR: {
            "id": SPONSOR,
            "home_pages": {
                "None": [
                    {"region": "None", "url": "https://a.example/?client_region=XX&client_asn=XX"},
                    {"region": "None", "url": "https://b.example/?device_region=XX&client_platform=XX"},
                ]
            },
            "mobile_home_pages": {"None": [{"region": "None", "url": "https://mobile.example/"}]},
            "alert_action_urls": {"disallowed-traffic": ["https://alert.example/?client_region=XX"]},
            "https_request_regexes": [{"regex": "^127.*", "replace": "loopback"}],
        }
    },
    "client_versions": {"Other": [{"version": "2"}, {"version": "17"}], "Android": [{"version": "99"}]},
    "default_sponsor_id": SPONSOR,
    "default_alert_action_urls": {},
    "valid_server_entry_tags": {entry_tag(OTHERS[0]): True},
    "discovery_servers": [
        {"discovery_date_range": [day(-1), day(1)], "encoded_server_entry": encode_fields(entry)}
        for entry in OTHERS
    ],
}
"""All that a database may say, for a client on Linux."""


@dataclass(frozen=True)
class Met:
    """A client that is connected."""

    client: Program
    socks_port: int
    tag: str  #: of the server that it is connected to

    def notices(self, kind: str) -> list[dict[str, Any]]:
        everything = [json.loads(line) for line in self.client.lines if line.startswith("{")]
        return [notice["data"] for notice in everything if notice["noticeType"] == kind]

    async def refused(self) -> None:
        """Ask for what the rules forbid."""
        with suppress(ConnectionError):
            _, writer = await through_socks(self.socks_port, "127.0.0.1", FORBIDDEN_PORT)
            writer.close()


@asynccontextmanager
async def met(
    whose: str, directory: Path, settings: Mapping[str, object], **server_settings: object
) -> AsyncIterator[Met]:
    """Run a server, theirs or ours, and their client until it is connected."""
    files = {"psinet.json": PSINET, "rules.json": RULES}
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content))
    overrides = {
        "PsinetDatabaseFilename": str(directory / "psinet.json"),
        "TrafficRulesFilename": str(directory / "rules.json"),
        "DiscoveryValueHMACKey": KEY,
        **server_settings,
    }
    entry: Mapping[str, object]
    async with AsyncExitStack() as stack:
        if whose == "theirs":
            theirs = running_psiphond(directory / "server", "127.0.0.1", **overrides)
            _, entry = await stack.enter_async_context(theirs)
        else:
            entry = (await stack.enter_async_context(our_server(directory, overrides=overrides))).entry
        known = directory / "servers"
        known.write_text(encode_fields(entry))
        client = console_client(
            directory / "client",
            "OSSH",
            {"EmitServerAlerts": True, "EmitClientAddress": True, **settings},
            "-serverList",
            known,
        )
        program, port = await stack.enter_async_context(client)
        yield Met(program, port, entry_tag(entry))


async def told(whose: str, directory: Path, settings: Mapping[str, object]) -> dict[str, object]:
    """Return what their client is told by a server."""
    directory.mkdir()
    async with met(whose, directory, settings) as found:
        await found.refused()
        await found.client.says('"ServerAlert"')
        itself = f"updated server {diagnostic_id(found.tag)}"
        addresses = [each["address"] for each in found.notices("ClientAddress")]
        updated = {info["message"] for info in found.notices("Info") if "updated server" in info["message"]}
        return {
            "home pages": sorted(page["url"] for page in found.notices("Homepage")),
            "upgrade": found.notices("ClientUpgradeAvailable"),
            "address": [address.rpartition(":")[0] for address in addresses],
            "region": found.notices("ClientRegion"),
            "rates": [
                (limits["upstreamBytesPerSecond"], limits["downstreamBytesPerSecond"])
                for limits in found.notices("TrafficRateLimits")
            ],
            "authorizations": [each["IDs"] for each in found.notices("ActiveAuthorizationIDs")],
            "discovered": sorted(updated - {itself}),
            "its own entry": itself in updated,
            "alerts": found.notices("ServerAlert"),
        }


@pytest.mark.parametrize("encoding", ["cbor", "json"])
@pytest.mark.parametrize("tactics", [False, True], ids=["without tactics", "with tactics"])
async def test_our_server_tells_their_client_what_theirs_does(
    encoding: str, tactics: bool, tmp_path: Path
) -> None:
    """With tactics the client wants the answer in CBOR."""
    settings = {"TargetAPIEncoding": encoding, "DisableTactics": not tactics, "DeviceRegion": "FR"}
    theirs = await told("theirs", tmp_path / "theirs", settings)
    ours = await told("ours", tmp_path / "ours", settings)
    assert ours == theirs
    assert theirs["home pages"] == [
        "https://a.example/?client_region=None&client_asn=None",
        "https://b.example/?device_region=FR&client_platform=other",
    ]
    assert theirs["address"] == ["127.0.0.1"]
    assert theirs["upgrade"] == [{"version": "17"}]
    assert theirs["rates"] == [(3_000_000, 4_000_000)]
    assert isinstance(theirs["discovered"], list) and len(theirs["discovered"]) == 1
    assert theirs["its own entry"] is True  # theirs is not signed
    assert isinstance(theirs["alerts"], list) and len(theirs["alerts"]) == 1


@pytest.mark.parametrize("whose", ["theirs", "ours"])
@pytest.mark.parametrize("encoding", ["cbor", "json"])
async def test_either_server_takes_our_authorizations(whose: str, encoding: str, tmp_path: Path) -> None:
    key = AuthorizationKey.generate("speed-boost", SYSTEM_RNG)
    ring = {"Keys": [json.loads(msgspec.json.encode(key.verification_key))]}
    authorization, identity = key.issue(b"purchase", (datetime.now(UTC) + timedelta(days=1)).timestamp())
    settings = {"Authorizations": [authorization], "TargetAPIEncoding": encoding}
    async with met(whose, tmp_path, settings, AccessControlVerificationKeyRing=ring) as found:
        assert [each["IDs"] for each in found.notices("ActiveAuthorizationIDs")] == [[identity]]
