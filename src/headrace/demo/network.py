"""The demonstration's network: processes of this very program, wired through censors, and taken down again.

application ──► client ──┬──► censor that only looks ──► server ──► origin
                         └──► censor that lets nothing through ──► another server
"""

import asyncio
import json
import socket
import tempfile
from contextlib import AsyncExitStack
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from headrace.base.errors import NetworkError
from headrace.demo.processes import START_TIMEOUT, end, says, spawn
from headrace.documents.server_entry import ServerEntry
from headrace.server.generate import CONFIG_FILE, generate_server
from headrace.testing.censor import PASS, STALL, Censor, Rule
from headrace.testing.origin import Origin

__all__ = ["Client", "DemoNetwork"]

_ADDRESS: Final = "127.0.0.1"
_OTHER_ADDRESS: Final = "127.0.0.2"  # a client knows one server at each address


class DemoNetwork:
    """Two servers, one of them blocked, and an origin. Everything ends with the `async with` block."""

    def __init__(self) -> None:
        self.origin = Origin()
        self.watched: Censor  #: before the server that is reachable
        self.blocked: Censor
        self._entries: list[str] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._directory = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-demo-"))
        )
        await self._stack.enter_async_context(self.origin)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        closing = asyncio.create_task(self._stack.aclose())
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:  # asked to end while ending: what was started is ended all the same
            await closing
            raise

    async def start_servers(self) -> None:
        """Make both servers' keys and files, and start them. Raises NetworkError."""
        self.watched = await self._start_server("open", PASS, _ADDRESS)
        self.blocked = await self._start_server("blocked", Rule(STALL, down=0), _OTHER_ADDRESS)

    async def _start_server(self, name: str, rule: Rule, address: str) -> Censor:
        port = _free_port()
        generated = await asyncio.to_thread(generate_server, ip=address, protocols={"OSSH": port})
        directory = self._directory / name
        generated.write(directory)
        config = directory / CONFIG_FILE
        # The origin is on this machine, where servers otherwise refuse to go; and that may be busy.
        settings = {"AllowBogons": True, "LoadLimits": {"LoadPerCore": 0, "AvailableMemoryBytes": 0}}
        config.write_text(json.dumps({**json.loads(config.read_text()), **settings}))
        log = self._stack.enter_context(_new_file(directory / "log"))
        process = await spawn(
            "server", "run", "--config", str(config), "--listen", _ADDRESS, "--workers", "1", stderr=log
        )
        self._stack.push_async_callback(end, process)
        if not await says(process, b"OSSH on port"):
            reason = (directory / "log").read_text(errors="replace").strip().rpartition("\n")[2]
            raise NetworkError(f"the {name} server did not start: {reason}")
        censor = await self._stack.enter_async_context(Censor(port, rules=repeat(rule), host=address))
        fields = {**ServerEntry.decode(generated.entry).fields, "sshObfuscatedPort": censor.port}
        self._entries.append(ServerEntry.from_fields(fields).encode())
        return censor

    async def start_client(self, *, prefix: bool, only_open: bool = False) -> "Client":
        """Start a client and wait until it is connected. Raises NetworkError."""
        settings: dict[str, Any] = {
            "PropagationChannelId": "F" * 16,
            "SponsorId": "F" * 16,
            "EmbeddedServerEntryList": self._entries[: 1 if only_open else None],
            "EmitDiagnosticNotices": True,
            "DataRootDirectory": tempfile.mkdtemp(dir=self._directory),
        }
        if not prefix:
            settings["ShippedPrefixes"] = []
        config = self._directory / "client.json"
        config.write_text(json.dumps(settings))
        client = Client(await spawn("client", "--config", str(config)))
        self._stack.push_async_callback(client.stop)
        await client.connected()
        return client


class Client:
    """A running client process, known through its notices."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.socks_port = self.http_port = 0
        self.attempts = 0  #: servers it began to dial before it was connected
        self._process = process
        self._reader: asyncio.Task[None] | None = None

    async def connected(self) -> None:
        """Read notices until the tunnel is up. Raises NetworkError."""
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while not await self._read_notice():
                    pass
        except TimeoutError:
            raise NetworkError(f"the client did not connect within {START_TIMEOUT:g} s") from None
        self._reader = asyncio.create_task(self._read_on())

    async def stop(self) -> None:
        """End the client."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await end(self._process)

    async def _read_notice(self) -> bool:
        assert self._process.stderr is not None
        line = await self._process.stderr.readline()
        if not line:
            raise NetworkError("the client ended by itself")
        if not line.startswith(b"{"):
            raise NetworkError(line.decode(errors="replace").strip())
        notice = json.loads(line)
        data = notice["data"]
        match notice["noticeType"]:
            case "ListeningSocksProxyPort":
                self.socks_port = data["port"]
            case "ListeningHttpProxyPort":
                self.http_port = data["port"]
            case "ConnectingServer":
                self.attempts += 1
            case "Tunnels":
                return bool(data["count"])
        return False

    async def _read_on(self) -> None:
        assert self._process.stderr is not None
        while await self._process.stderr.readline():
            pass  # a client whose notices nobody takes would stop


def _new_file(path: Path) -> BinaryIO:
    return path.open("wb")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_ADDRESS, 0))
        return int(probe.getsockname()[1])
