"""A server and a client as an operator and a user run them: `headrace` child processes on loopback.

entry = make_server(directory / "server", rules={"DisallowTCPPorts": [25]})
async with running_server(directory / "server"), running_client(directory / "client", entry) as client:
    curl("--proxy", client.proxy(Way.SOCKS5), ...)
"""

import enum
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]
from tests.interop.ours import CHANNEL_AND_SPONSOR
from tests.interop.programs import Program, running, unused_port

from headrace.server.generate import CONFIG_FILE, TRAFFIC_RULES_FILE, generate_server
from headrace.testing.peers import host_key

__all__ = [
    "FOR_TESTS",
    "Client",
    "Way",
    "connected_client",
    "kill",
    "make_server",
    "processes_of",
    "running_client",
    "running_server",
]


FOR_TESTS: Final = {"AllowBogons": True, "LoadLimits": {"LoadPerCore": 0, "AvailableMemoryBytes": 0}}
"""Settings of a server that lets its clients back to this machine, and serves however busy that is."""

#: How a notice of so many tunnels begins.
TUNNELS = '{{"data":{{"count":{}}},"noticeType":"Tunnels"'


class Way(enum.StrEnum):
    """How a program asks a proxy to get it somewhere."""

    SOCKS5 = "socks5h"
    SOCKS4A = "socks4a"
    HTTP = "http"  #: requests for a whole URL, which the proxy makes
    CONNECT = "connect"  #: requests for a connection, from the same proxy


@dataclass(frozen=True, slots=True)
class Client:
    """A running client whose tunnel was up, and the ports of its proxies."""

    program: Program
    socks_port: int
    http_port: int

    def proxy(self, way: Way) -> str:
        """Return the URL of a proxy; its host is not a name, its users' hosts may be."""
        if way in (Way.SOCKS5, Way.SOCKS4A):
            return f"{way}://127.0.0.1:{self.socks_port}"
        return f"http://127.0.0.1:{self.http_port}"

    async def tunnels(self, count: int, after: int = 0) -> None:
        """Wait until it has told that it has so many, in or after its line number `after`."""
        await self.program.says(TUNNELS.format(count), after)


def make_server(directory: Path, rules: Mapping[str, object] | None = None, **settings: object) -> str:
    """Write a server's files, ready to run; return an entry that leads to it.

    `rules` are for everybody's traffic; the settings go over its configuration.
    """
    port = unused_port()
    generated = generate_server(ip="127.0.0.1", protocols={"OSSH": port}, host_key=host_key("rsa"))
    generated.write(directory)
    config = directory / CONFIG_FILE
    config.write_text(json.dumps({**json.loads(config.read_text()), **FOR_TESTS, **settings}))
    if rules:
        (directory / TRAFFIC_RULES_FILE).write_text(json.dumps({"DefaultRules": rules}))
    return generated.entry


@asynccontextmanager
async def running_server(directory: Path) -> AsyncIterator[Program]:
    """Run the server in `directory`; it listens when the block begins."""
    words = ("--config", directory / CONFIG_FILE, "--listen", "127.0.0.1", "--workers", "1")
    async with running(*_headrace("server", "run"), *words, directory=directory) as server:
        await server.says("OSSH on port")
        yield server


def processes_of(server: Program) -> set[int]:
    """Return the processes that a server is made of, its supervisor and its workers."""
    supervisor = psutil.Process(server.process.pid)
    return {supervisor.pid, *(worker.pid for worker in supervisor.children())}


def kill(processes: Iterable[int], number: int = signal.SIGKILL) -> None:
    """Send a signal to those that are still there."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


@asynccontextmanager
async def running_client(directory: Path, entry: str, **settings: object) -> AsyncIterator[Client]:
    """Run a client in a new directory; it knows one server, and has a tunnel when the block begins."""
    async with connected_client(directory, entry, **settings) as program:
        ports = [
            json.loads(await program.says(f'"Listening{kind}ProxyPort"'))["data"]["port"]
            for kind in ("Socks", "Http")
        ]
        yield Client(program, *ports)


@asynccontextmanager
async def connected_client(directory: Path, entry: str, **settings: object) -> AsyncIterator[Program]:
    """Do so, wherever it offers its proxies."""
    directory.mkdir()
    config = directory / "client.json"
    fields = {
        **CHANNEL_AND_SPONSOR,
        "DataRootDirectory": str(directory),
        "LimitTunnelProtocols": ["OSSH"],
        "TargetServerEntry": entry,
    }
    config.write_text(json.dumps({**fields, **settings}))
    async with running(*_headrace("client"), "--config", config, directory=directory) as program:
        await program.says(TUNNELS.format(1))
        yield program


def _headrace(*words: str) -> tuple[str, ...]:
    return sys.executable, "-m", "headrace", *words
