"""What a server of ours tells its clients is what the deployed server does: the deployed client, and ours.

    HEADRACE_CONSOLE_CLIENT, HEADRACE_PSIPHOND   where the programs are; without them these tests are skipped

Both servers have the same psinet database and the same traffic rules.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.interop.ours import CHANNEL_AND_SPONSOR, PATIENCE, our_client, our_server
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
SHOWN = {"EmitServerAlerts": True, "EmitClientAddress": True}
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


Lines = Sequence[str]


def notices(lines: Lines, kind: str) -> list[dict[str, Any]]:
    """Return the data of a client's notices of a kind, as it printed them."""
    everything = [json.loads(line) for line in lines if line.startswith("{")]
    return [notice["data"] for notice in everything if notice["noticeType"] == kind]


@asynccontextmanager
async def running(whose: str, directory: Path, **settings: object) -> AsyncIterator[Mapping[str, object]]:
    """Run a server, theirs or ours; yields its entry."""
    directory.mkdir()
    (directory / "psinet.json").write_text(json.dumps(PSINET))
    (directory / "rules.json").write_text(json.dumps(RULES))
    overrides = {
        "PsinetDatabaseFilename": str(directory / "psinet.json"),
        "TrafficRulesFilename": str(directory / "rules.json"),
        "DiscoveryValueHMACKey": KEY,
        **settings,
    }
    if whose == "theirs":
        async with running_psiphond(directory / "server", "127.0.0.1", **overrides) as (_, entry):
            yield entry
    else:
        async with our_server(directory, overrides=overrides) as server:
            yield server.entry


@asynccontextmanager
async def their_client(
    entry: Mapping[str, object], directory: Path, **settings: object
) -> AsyncIterator[tuple[Program, int]]:
    """Run their client, which knows this server among those that it may replace."""
    known = directory / "known"
    known.write_text(encode_fields(dict(entry)))
    async with console_client(
        directory / "client", "OSSH", {**SHOWN, **settings}, "-serverList", known
    ) as both:
        yield both


async def ask_for_what_is_forbidden(socks_port: int) -> None:
    with suppress(ConnectionError):
        _, writer = await through_socks(socks_port, "127.0.0.1", FORBIDDEN_PORT)
        writer.close()


def told(lines: Lines) -> dict[str, object]:
    """Return what a client was told by its server."""
    addresses = [each["address"] for each in notices(lines, "ClientAddress")]
    limits = notices(lines, "TrafficRateLimits")
    return {
        "home pages": sorted(page["url"] for page in notices(lines, "Homepage")),
        "upgrade": notices(lines, "ClientUpgradeAvailable"),
        "address": [address.rpartition(":")[0] for address in addresses],
        "region": notices(lines, "ClientRegion"),
        "rates": [(each["upstreamBytesPerSecond"], each["downstreamBytesPerSecond"]) for each in limits],
        "authorizations": [each["IDs"] for each in notices(lines, "ActiveAuthorizationIDs")],
        "alerts": notices(lines, "ServerAlert"),
    }


def check(said: Mapping[str, object]) -> None:
    """Insist that it is what the database and the rules say."""
    alerts = said["alerts"]
    assert isinstance(alerts, list)
    assert [(alert["reason"], alert["actionURLs"]) for alert in alerts] == [
        ("disallowed-traffic", ["https://alert.example/?client_region=None"])
    ]
    assert {name: value for name, value in said.items() if name != "alerts"} == {
        "home pages": [
            "https://a.example/?client_region=None&client_asn=None",
            "https://b.example/?device_region=FR&client_platform=other",
        ],
        "upgrade": [{"version": "17"}],
        "address": ["127.0.0.1"],
        "region": [{"region": "None"}],
        "rates": [(3_000_000, 4_000_000)],
        "authorizations": [[]],
    }


def updated(lines: Lines, entry: Mapping[str, object]) -> tuple[list[str], bool]:
    """Return the servers that their client learned of, and whether it has another entry of this one."""
    itself = f"updated server {diagnostic_id(entry_tag(entry))}"
    messages = {info["message"] for info in notices(lines, "Info") if "updated server" in info["message"]}
    return sorted(messages - {itself}), itself in messages


@pytest.mark.parametrize("encoding", ["cbor", "json"])
@pytest.mark.parametrize("tactics", [False, True], ids=["without tactics", "with tactics"])
async def test_their_client_is_told_the_same_by_either(encoding: str, tactics: bool, tmp_path: Path) -> None:
    """With tactics the client wants the answer in CBOR."""
    settings = {"TargetAPIEncoding": encoding, "DisableTactics": not tactics, "DeviceRegion": "FR"}
    learned = []
    for whose in ("theirs", "ours"):
        directory = tmp_path / whose
        async with (
            running(whose, directory) as entry,
            their_client(entry, directory, **settings) as (client, port),
        ):
            await ask_for_what_is_forbidden(port)
            await client.says('"ServerAlert"')
            check(told(client.lines))
            learned.append(updated(client.lines, entry))
    assert learned[0] == learned[1]
    others, itself = learned[0]
    assert len(others) == 1  # of all that the database has
    assert itself  # the entry it had is not signed


@pytest.mark.parametrize("whose", ["theirs", "ours"])
@pytest.mark.parametrize("encoding", ["cbor", "json"])
async def test_our_client_is_told_the_same_by_either(whose: str, encoding: str, tmp_path: Path) -> None:
    settings = {**SHOWN, "TargetAPIEncoding": encoding, "DeviceRegion": "FR", "ClientVersion": "1"}
    async with (
        running(whose, tmp_path / whose) as entry,
        our_client(entry, "OSSH", **settings) as (client, said),
    ):
        async with asyncio.timeout(PATIENCE):
            while '"ServerAlert"' not in said.getvalue():  # it is sent once, whenever the server has time
                await ask_for_what_is_forbidden(client.ports["Socks"])
        check(told(said.getvalue().splitlines()))


@pytest.mark.parametrize("whose", ["theirs", "ours"])
@pytest.mark.parametrize("encoding", ["cbor", "json"])
async def test_either_server_takes_our_authorizations(whose: str, encoding: str, tmp_path: Path) -> None:
    key = AuthorizationKey.generate("speed-boost", SYSTEM_RNG)
    ring = {"Keys": [json.loads(msgspec.json.encode(key.verification_key))]}
    authorization, identity = key.issue(b"purchase", (datetime.now(UTC) + timedelta(days=1)).timestamp())
    settings = {"Authorizations": [authorization], "TargetAPIEncoding": encoding}
    async with running(whose, tmp_path / whose, AccessControlVerificationKeyRing=ring) as entry:
        async with their_client(entry, tmp_path, **settings) as (client, _):
            assert [each["IDs"] for each in notices(client.lines, "ActiveAuthorizationIDs")] == [[identity]]
        async with our_client(entry, "OSSH", **settings) as (_, said):
            lines = said.getvalue().splitlines()
            assert [each["IDs"] for each in notices(lines, "ActiveAuthorizationIDs")] == [[identity]]
