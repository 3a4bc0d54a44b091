"""The deployed client as a child process, where a test names it (see `test_reference`)."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.interop.ours import CHANNEL_AND_SPONSOR
from tests.interop.programs import Program, running

__all__ = ["console_client", "reference"]


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
