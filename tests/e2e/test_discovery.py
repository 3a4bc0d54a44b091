"""A client is told of a server by the one it is connected to, and goes there when that is gone."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.interop.ours import CHANNEL_AND_SPONSOR
from tests.interop.programs import Program, running, unused_port
from tests.processes import FOR_TESTS, TUNNELS

from headrace.crypto.signing import SigningKey
from headrace.discovery.servers import DiscoveryServer
from headrace.discovery.strategy import STRATEGIES, make_strategy
from headrace.documents.entry_fields import decode_fields, encode_fields
from headrace.documents.entry_signature import sign_entry
from headrace.documents.server_entry import ServerEntry
from headrace.server.generate import CONFIG_FILE, generate_server
from headrace.testing.peers import host_key

KEY = SigningKey(bytes(32))
SECRET = "the network's secret"
#: Of two candidates classic discovery makes two buckets of one, so that the hour is of no account.
CANDIDATES = ("127.0.0.3", "127.0.0.4")
OPEN = ("2026-01-01T00:00:00Z", "2126-01-01T00:00:00Z")


def make(directory: Path, address: str, **settings: object) -> str:
    """Write the files of a server; return its signed entry."""
    generated = generate_server(ip=address, protocols={"OSSH": unused_port()}, host_key=host_key("rsa"))
    generated.write(directory)
    config = directory / CONFIG_FILE
    fields = {**json.loads(config.read_text()), **FOR_TESTS, "DiscoveryValueHMACKey": SECRET}
    config.write_text(json.dumps({**fields, **settings}))
    return encode_fields(sign_entry(decode_fields(generated.entry), KEY))


@asynccontextmanager
async def server(directory: Path, address: str) -> AsyncIterator[Program]:
    words = "server", "run", "--config", directory / CONFIG_FILE, "--listen", address, "--workers", "1"
    async with running(sys.executable, "-m", "headrace", *words, directory=directory) as program:
        await program.says("OSSH on port")
        yield program


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_client_goes_to_the_server_it_was_told_of(tmp_path: Path, strategy: str) -> None:
    entries = [make(tmp_path / address, address) for address in CANDIDATES]
    first = make(
        tmp_path / "first",
        "127.0.0.2",
        ServerDiscoveryStrategy=strategy,
        PsinetDatabaseFilename="psinet.json",
    )
    told_of = [{"discovery_date_range": OPEN, "encoded_server_entry": entry} for entry in entries]
    (tmp_path / "first" / "psinet.json").write_text(json.dumps({"discovery_servers": told_of}))
    candidates = [
        DiscoveryServer(0, 5e9, address, entry) for address, entry in zip(CANDIDATES, entries, strict=True)
    ]
    chosen = make_strategy(strategy, SECRET).arrange(candidates)(ip_address("127.0.0.1"), 0)
    assert chosen is not None

    home = tmp_path / "client"
    home.mkdir()
    config = {
        **CHANNEL_AND_SPONSOR,
        "DataRootDirectory": str(home),
        "LimitTunnelProtocols": ["OSSH"],
        "ServerEntrySignaturePublicKey": KEY.public.to_text(),
        "EmitDiagnosticNotices": True,
    }
    (home / "client.json").write_text(json.dumps(config))
    (home / "servers").write_text(first)
    run = "client", "--config", home / "client.json", "--server-list", home / "servers"
    async with (
        server(tmp_path / chosen.address, chosen.address),
        server(tmp_path / "first", "127.0.0.2") as captured,
        running(sys.executable, "-m", "headrace", *run, directory=home) as client,
    ):
        await client.says(TUNNELS.format(1))
        await captured.end()
        entry = ServerEntry.decode(chosen.encoded_entry)
        active = f'{{"diagnosticID":"{entry.diagnostic_id}","protocol":"OSSH"}},"noticeType":"ActiveTunnel"'
        await client.says(active)
