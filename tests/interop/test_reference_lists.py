"""The deployed client learns of servers of ours from lists of ours: signed remote lists, and obfuscated ones.

    HEADRACE_CONSOLE_CLIENT       where the program is; without it these tests are skipped

It fetches from a web server with TLS, and connects to a server that it cannot know but from the list. Its
fetcher rests for hours after a success, so each test lets it fetch when there is something to be had.
"""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import Authority
from tests.e2e.storage import Storage, web_server
from tests.interop.ours import CHANNEL_AND_SPONSOR
from tests.interop.programs import Program, through_socks
from tests.interop.reference import console_client

from headrace.codec import packed_parameters
from headrace.crypto.rsa_signing import PackageSigningKey
from headrace.documents.osl.config import NO_SCHEMES, read_osl_config
from headrace.documents.osl.paver import current_osl_id, pave
from headrace.documents.server_entry import ServerEntry
from headrace.documents.server_list import encode_list
from headrace.documents.signed_package import make_package
from headrace.testing.censor import REFUSE, Censor
from headrace.testing.entries import make_entries
from headrace.testing.loopback import LoopbackServer
from headrace.testing.origin import Origin, payload

KEY = PackageSigningKey.generate(2048)
CHANNEL = CHANNEL_AND_SPONSOR["PropagationChannelId"]
HIDDEN, KNOWN = "127.0.0.2", "127.0.0.1"
HOUR = 3600 * 10**9  # nanoseconds
SIZE = 20_000

pytestmark = [pytest.mark.reference, pytest.mark.timeout(90)]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def storage(tmp_path: Path, authority: Authority) -> Iterator[Storage]:
    with web_server(tmp_path / "nginx", authority) as server:
        yield server


@pytest.fixture
def handshakes(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, object]]:
    """What clients say to any server of ours, as their handshake has it."""
    said: list[Mapping[str, object]] = []

    def unpack(request: bytes) -> Mapping[str, object]:
        parameters = packed_parameters.unpack(request)
        if "relay_protocol" in parameters:
            said.append(parameters)
        return parameters

    monkeypatch.setattr("headrace.server.api.unpack", unpack)
    return said


def urls(url: str) -> list[dict[str, object]]:
    """Return a list of transfer URLs, as a configuration has it."""
    return [{"URL": b64encode(url.encode()).decode()}]


def fetching(authority: Authority, **settings: object) -> dict[str, object]:
    """Return settings that make the client fetch, from whom this authority vouches for, and soon."""
    return {
        "DisableRemoteServerListFetcher": False,
        "RemoteServerListSignaturePublicKey": KEY.public.to_text(),
        "TrustedCACertificatesFilename": str(authority.file),
        "FetchRemoteServerListRetryPeriodMilliseconds": 100,
        "EstablishTunnelPausePeriodSeconds": 1,
        **settings,
    }


def notices(client: Program, kind: str) -> list[dict[str, Any]]:
    """Return the data of the client's notices of a kind, so far."""
    everything = [json.loads(line) for line in client.lines if line.startswith("{")]
    return [notice["data"] for notice in everything if notice["noticeType"] == kind]


def infos(client: Program) -> list[str]:
    """Return what the client said in words."""
    return [data["message"] for kind in ("Info", "Warning") for data in notices(client, kind)]


async def active(client: Program, entry: ServerEntry, protocol: str) -> None:
    """Wait until the client's tunnel leads to this server."""
    said = json.loads(await client.says(f'"diagnosticID":"{entry.diagnostic_id}","protocol":"{protocol}"}}'))
    assert said["noticeType"] == "ActiveTunnel"


@asynccontextmanager
async def blockable(entry: ServerEntry) -> AsyncIterator[tuple[Censor, ServerEntry]]:
    """Put a censor before a server; yields it with the entry that leads there."""
    async with Censor(entry.ssh_obfuscated_port, target_host=entry.ip_address) as censor:
        yield censor, ServerEntry.from_fields({**entry.fields, "sshObfuscatedPort": censor.port})


async def fetch_through(socks_port: int, origin: Origin) -> None:
    """Fetch through the tunnel, in a port forward that ends."""
    reader, writer = await through_socks(socks_port, origin.host, origin.port)
    writer.write(f"GET /bytes/{SIZE} HTTP/1.1\r\nHost: origin\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(SIZE) == payload(SIZE)
    writer.close()


@pytest.mark.parametrize("protocol", ["OSSH", "SSH"])
async def test_a_remote_list_leads_their_client_to_our_server(
    protocol: str,
    tmp_path: Path,
    storage: Storage,
    authority: Authority,
    origin: Origin,
    handshakes: list[Mapping[str, object]],
) -> None:
    path, root = f"{storage.prefix()}/server_list_compressed", f"{storage.prefix()}/osl"
    settings = fetching(
        authority,
        RemoteServerListURLs=urls(storage.url(path, host="127.0.0.1")),
        ObfuscatedServerListRootURLs=urls(storage.url(root, host="127.0.0.1")),
    )
    async with LoopbackServer(address=HIDDEN) as server:
        # Among many that speak something else, so that it is the only one to try.
        others = make_entries(500, capabilities=["QUIC", "ssh-api-requests"])
        package = make_package(encode_list([*others, dict(server.entry.fields)]), KEY)
        storage.put(path, package)
        (registry,) = pave(NO_SCHEMES, CHANNEL, None, 0, {}, KEY)
        storage.put(f"{root}/{registry.name}", registry.contents)
        async with console_client(tmp_path / "client", protocol, settings) as (client, port):
            await active(client, server.entry, protocol)
            await fetch_through(port, origin)
            downloaded = [
                data["bytes"] for data in notices(client, "RemoteServerListResourceDownloadedBytes")
            ]
            assert sorted(downloaded) == sorted([len(package), len(registry.contents)])
            said = infos(client)
            assert sum(text.startswith("updated server ") for text in said) >= 501
            assert [text for text in said if "failed to fetch" in text] == []
    (handshake,) = handshakes
    assert handshake["server_entry_source"] == "REMOTE"


def osl_config(now: datetime) -> bytes:
    """Return a scheme with lists of four hours each: two patterns of traffic in any one hour open one."""
    subnets = (["127.0.0.0/8"], ["127.0.0.1/32"], ["192.0.2.0/24"])
    specs = [
        {
            "ID": b64encode(bytes([number]) * 32).decode(),
            "UpstreamSubnets": of_one,
            "Targets": {"BytesRead": SIZE // 2},
        }
        for number, of_one in enumerate(subnets)
    ]
    scheme = {
        "Epoch": (now - timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z"),
        "PropagationChannelIDs": [CHANNEL],
        "MasterKey": b64encode(b"M" * 32).decode(),
        "SeedSpecs": specs,
        "SeedSpecThreshold": 2,
        "SeedPeriodNanoseconds": HOUR,
        "SeedPeriodKeySplits": [{"Total": 2, "Threshold": 1}, {"Total": 2, "Threshold": 1}],
    }
    return json.dumps({"Schemes": [scheme]}).encode()


async def test_an_obfuscated_list_leads_their_client_to_our_server_once_it_has_earned_the_keys(
    tmp_path: Path,
    storage: Storage,
    authority: Authority,
    origin: Origin,
    handshakes: list[Mapping[str, object]],
) -> None:
    now = datetime.now(UTC)
    file = tmp_path / "osl.config"
    file.write_bytes(osl_config(now))
    config = read_osl_config(file.read_bytes())
    (scheme,) = config.schemes
    root = f"{storage.prefix()}/osl"
    settings = fetching(
        authority, ObfuscatedServerListRootURLs=urls(storage.url(root, host="127.0.0.1")), EmitSLOKs=True
    )
    hidden_server = LoopbackServer(address=HIDDEN)
    known_server = LoopbackServer(address=KNOWN, OSLConfigFilename=str(file))
    async with hidden_server as hidden, known_server as known, blockable(known.entry) as (censor, entry):
        # The list of now, and of the time that may begin while this runs.
        begun = int(now.timestamp()) * 10**9
        ids = {current_osl_id(scheme, CHANNEL, time).hex() for time in (begun, begun + HOUR)}
        entries = {osl_id: [hidden.entry.encode()] for osl_id in ids}
        for paved in pave(config, CHANNEL, None, begun + HOUR, entries, KEY):
            storage.put(f"{root}/{paved.name}", paved.contents)
        embedded = tmp_path / "embedded"
        embedded.write_text(entry.encode())
        run = console_client(tmp_path / "client", "OSSH", settings, "-serverList", embedded)
        async with run as (client, port):
            await active(client, known.entry, "OSSH")
            assert notices(client, "RemoteServerListResourceDownloaded") == []
            await fetch_through(port, origin)
            await client.says(f"updated server {hidden.entry.diagnostic_id}")
            assert [data["duplicate"] for data in notices(client, "SLOKSeeded")] == [False, False]
            assert len(notices(client, "RemoteServerListResourceDownloaded")) == 2  # the registry, one list
            censor.decree(repeat(REFUSE))
            await censor.drop()
            with suppress(ConnectionError):
                _, writer = await through_socks(port, origin.host, origin.port)  # it notices when it is used
                writer.close()
            await active(client, hidden.entry, "OSSH")
            await fetch_through(port, origin)
            assert [text for text in infos(client) if "failed to fetch" in text] == []
    assert [handshake["server_entry_source"] for handshake in handshakes] == ["EMBEDDED", "OBFUSCATED"]
