"""The deployed programs, by their paths: a server, and a client that is started anew for each connection."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from headrace.base.errors import OperatorError
from headrace.base.rng import Rng
from headrace.documents.server_entry import ServerEntry
from headrace.obfuscation.default_prefix import CLIENT_SPECS, DEFAULT_SPEC, SERVER_SPECS
from headrace.resist.at_once import at_once
from headrace.resist.children import complete, running
from headrace.resist.ports import unused_ports
from headrace.resist.subjects import DOWN, OurServer, Progress, Subject

__all__ = ["StockClients", "running_stock_server"]

#: Clients that run at once: each is a process.
AT_ONCE: Final = 4
_HELLO: Final = b"\x05\x01\x00"
_CONNECT: Final = b"\x05\x01\x00\x01\x7f\x00\x00\x01"
_ANSWER: Final = 10


@asynccontextmanager
async def running_stock_server(program: Path, directory: Path) -> AsyncIterator[OurServer]:
    """Run a new server of the deployed kind, which knows our prefixes. Raises OperatorError."""
    directory.mkdir(parents=True)
    (port,) = unused_ports(1)
    await complete(
        program, "-ipaddress", "127.0.0.1", "-protocol", f"OSSH:{port}", "generate", directory=directory
    )
    _update(
        directory / "psiphond.config",
        AllowBogons=True,
        DNSResolverIPAddress="127.0.0.1",
        LoadMonitorPeriodSeconds=0,
        SkipPanickingLogWriter=True,
    )
    parameters = {"ServerOSSHPrefixSpecs": SERVER_SPECS}
    tactics = {"TTL": "60s", "Probability": 1.0, "Parameters": parameters}
    _update(directory / "psiphond-tactics.config", DefaultTactics=tactics)
    async with running(
        program, "-config", directory / "psiphond.config", "run", directory=directory
    ) as child:
        await child.says(f'"127.0.0.1:{port}","msg":"running"')
        child.ignore()
        entry = ServerEntry.decode((directory / "server-entry.dat").read_text().strip())
        yield OurServer(entry, directory)


class StockClients(Subject):
    """Deployed clients, with a prefix or without. Each fetches something through its tunnel."""

    def __init__(
        self, name: str, program: Path, server: OurServer, directory: Path, rng: Rng, *, http: bool = False
    ) -> None:
        self.name, self.port, self.http = name, server.port, http
        self._program = program
        self._server = server
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._rng = rng

    async def connect(self, count: int, done: Progress) -> None:
        origin = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = int(origin.sockets[0].getsockname()[1])

        async def one() -> None:
            with tempfile.TemporaryDirectory(dir=self._directory) as directory:
                await self._one(port, Path(directory))
            done()

        try:
            await at_once(count, AT_ONCE, one)
        finally:
            origin.close()

    async def _one(self, origin: int, directory: Path) -> None:
        prefix = {
            "OSSHPrefixSpecs": CLIENT_SPECS,
            "OSSHPrefixScopedSpecNames": {"": [DEFAULT_SPEC]},
            "OSSHPrefixProbability": 1.0,
        }
        settings = {
            "PropagationChannelId": "F" * 16,
            "SponsorId": "F" * 16,
            "ClientVersion": "1",
            "ClientPlatform": "Linux_x86_64",
            "DataRootDirectory": str(directory),
            "NetworkID": "WIFI-loopback",
            "TargetServerEntry": self._server.entry.encode(),
            "LimitTunnelProtocols": ["OSSH"],
            "LocalSocksProxyPort": 0,
            "DisableLocalHTTPProxy": True,
            "EstablishTunnelTimeoutSeconds": 20,
            "EmitDiagnosticNotices": True,
            "DisableRemoteServerListFetcher": True,
            "DisableDSLFetcher": True,
            "DisableReplay": True,
            "DisableTactics": True,
            **(prefix if self.http else {}),
        }
        config = directory / "client.config"
        config.write_text(json.dumps(settings))
        async with running(self._program, "-config", config, directory=directory) as client:
            notice = json.loads(await client.says('"ListeningSocksProxyPort"'))
            await client.says('{"data":{"count":1},"noticeType":"Tunnels"')
            client.ignore()
            await _fetch(int(notice["data"]["port"]), origin)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.write(self._rng.bytes(self._rng.between(*DOWN)))
        await writer.drain()
        writer.close()


async def _fetch(socks: int, origin: int) -> None:
    """Fetch what an origin has to say through a SOCKS proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", socks)
    writer.write(_HELLO)
    await reader.readexactly(2)
    writer.write(_CONNECT + origin.to_bytes(2, "big"))
    if (await reader.readexactly(_ANSWER))[1] != 0:
        raise OperatorError("the server would not open a port forward")
    writer.write(b"?")
    await reader.read()
    writer.close()


def _update(file: Path, **settings: object) -> None:
    """Change some members of a JSON file."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
