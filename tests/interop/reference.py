"""The deployed programs as child processes, where a test names them (see `test_reference`)."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.interop.ours import CHANNEL_AND_SPONSOR
from tests.interop.programs import Program, complete, running, unused_port

from headrace.documents.entry_fields import decode_fields
from headrace.obfuscation.default_prefix import SERVER_SPECS

__all__ = ["console_client", "psiphond", "reference", "running_psiphond"]


def reference(variable: str) -> str:
    """Return the path of a reference program."""
    path = os.environ.get(variable, "")
    if not path:
        pytest.skip(f"{variable} does not name the program")
    return path


@asynccontextmanager
async def console_client(
    directory: Path, protocol: str, settings: Mapping[str, object], *arguments: str | Path
) -> AsyncIterator[tuple[Program, int]]:
    """Run ConsoleClient until it is connected; yields it and its SOCKS port.

    It knows no servers but those in `settings` or `arguments`.
    """
    directory.mkdir()
    config = {
        **CHANNEL_AND_SPONSOR,
        "ClientVersion": "1",
        "ClientPlatform": "Linux_x86_64",
        "DataRootDirectory": str(directory),
        "MigrateDataStoreDirectory": str(directory),
        "NetworkID": "WIFI-loopback",
        "LimitTunnelProtocols": [protocol],
        "LocalSocksProxyPort": 0,
        "DisableLocalHTTPProxy": True,
        "EstablishTunnelTimeoutSeconds": 20,
        "EmitDiagnosticNotices": True,
        "DisableRemoteServerListFetcher": True,
        "DisableDSLFetcher": True,
        "DisableReplay": True,
        "DisableTactics": True,
        **settings,
    }
    file = directory / "client.config"
    file.write_text(json.dumps(config))
    program = reference("HEADRACE_CONSOLE_CLIENT")
    async with running(program, "-config", file, *arguments, directory=directory) as client:
        listens = json.loads(await client.says('"ListeningSocksProxyPort"'))
        await client.says('{"data":{"count":1},"noticeType":"Tunnels"')
        yield client, int(listens["data"]["port"])


@asynccontextmanager
async def psiphond(directory: Path, **settings: object) -> AsyncIterator[dict[str, object]]:
    """Run a fresh psiphond that may forward to loopback; yields the fields of its entry."""
    async with running_psiphond(directory, "127.0.0.1", **settings) as (_, entry):
        yield entry


@asynccontextmanager
async def running_psiphond(
    directory: Path, address: str = "127.0.0.1", **settings: object
) -> AsyncIterator[tuple[Program, dict[str, object]]]:
    """Do so at an address of this machine; yields the program too, which prints its log.

    The settings go over its configuration.
    """
    program = reference("HEADRACE_PSIPHOND")
    directory.mkdir()
    ports = {"OSSH": unused_port(), "SSH": unused_port()}
    protocols = [text for name, port in ports.items() for text in ("-protocol", f"{name}:{port}")]
    await complete(program, "-ipaddress", address, *protocols, "generate", directory=directory)
    config, tactics = directory / "psiphond.config", directory / "psiphond-tactics.config"
    _update(
        config,
        AllowBogons=True,
        DNSResolverIPAddress="127.0.0.1",
        LoadMonitorPeriodSeconds=0,
        SkipPanickingLogWriter=True,
        **settings,
    )
    parameters = {"ServerOSSHPrefixSpecs": SERVER_SPECS}
    _update(tactics, DefaultTactics={"TTL": "60s", "Probability": 1.0, "Parameters": parameters})
    async with running(program, "-config", config, "run", directory=directory) as server:
        for port in ports.values():
            await server.says(f'"{address}:{port}","msg":"running"')
        yield server, decode_fields((directory / "server-entry.dat").read_text().strip())


def _update(file: Path, **settings: object) -> None:
    """Change some members of a JSON file."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
