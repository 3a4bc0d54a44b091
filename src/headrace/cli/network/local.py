"""What runs on this machine: servers, out of their hosts' files, and the public store as a web server."""

import asyncio
import ipaddress
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

from headrace.base.errors import NetworkError, OperatorError
from headrace.demo.processes import end, says, spawn
from headrace.documents.server_files import CONFIG_FILE
from headrace.testing.storage import Request, Storage

if TYPE_CHECKING:
    from headrace.network.book import View

__all__ = ["LocalHost", "LocalNetwork", "PublicFolder", "local_hosts", "public_folder"]


@dataclass(frozen=True, slots=True)
class LocalHost:
    """A host that is this machine, with the files it was given."""

    name: str
    directory: Path
    address: str


class PublicFolder(Storage):
    """A web server that gives out the files of a directory store, as storage services do."""

    def __init__(self, folder: Path, host: str, port: int, welcome: bytes = b"") -> None:
        super().__init__(host=host, port=port)
        self._folder = folder.resolve()
        self._welcome = welcome

    def _note(self, request: Request) -> None:
        pass  # it runs for long, and nobody asks who has fetched what

    def _content(self, path: str) -> bytes | None:
        name = unquote(urlsplit(path).path)
        if name == "/":
            return self._welcome or None
        parts = name.strip("/").split("/")
        if any(part.startswith(".") or not part for part in parts):
            return None
        try:
            return self._folder.joinpath(*parts).read_bytes()
        except (OSError, ValueError):
            return None


class LocalNetwork:
    """Servers and the store of a network on this machine, running for the `async with` block."""

    def __init__(self) -> None:
        self._servers: dict[str, asyncio.subprocess.Process] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await asyncio.shield(self._stack.aclose())

    async def start(self, host: LocalHost) -> None:
        """Start the server of a host. Raises OperatorError when it does not get ready."""
        config = host.directory / CONFIG_FILE
        if not config.is_file():
            raise OperatorError(f"{host.name} has no files in {host.directory} yet: publish first")
        if _runs(host.directory):
            raise OperatorError(f"a server runs already on the files in {host.directory}; end it first")
        log = self._stack.enter_context((host.directory / "server.log").open("ab"))
        listen = ("--listen", host.address) if ipaddress.ip_address(host.address).is_loopback else ()
        process = await spawn("server", "run", "--config", str(config), *listen, stderr=log)
        self._stack.push_async_callback(end, process)
        if not await says(process, b" on port"):
            reason = (host.directory / "server.log").read_text(errors="replace").strip().rpartition("\n")[2]
            raise OperatorError(f"the server of {host.name} did not start: {reason}", exit_code=1)
        self._servers[host.name] = process
        reader = asyncio.create_task(_read_on(process))
        self._stack.callback(reader.cancel)

    async def serve(self, folder: PublicFolder) -> None:
        """Serve the public store. Raises OperatorError when its port is taken."""
        try:
            await self._stack.enter_async_context(folder)
        except OSError as error:
            raise OperatorError(
                f"port {folder.port} of {folder.host} cannot be used: {error.strerror}; end what has it"
            ) from error

    def reload(self, name: str) -> None:
        """Have the server of a host read its files again, if it runs here."""
        process = self._servers.get(name)
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGHUP)

    async def ended(self) -> str:
        """Wait until a server ends by itself, and return the name of its host."""
        waiting = {asyncio.create_task(process.wait()): name for name, process in self._servers.items()}
        if not waiting:
            await asyncio.Event().wait()
        done, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        return waiting[done.pop()]


def local_hosts(view: "View", only: Sequence[str] = ()) -> list[LocalHost]:
    """Return the hosts that are this machine and have a server.

    Raises OperatorError if the files of hosts are elsewhere.
    """
    from headrace.network.model import LOCAL, Server, Status

    root = urlsplit(view.settings.host_store)
    if root.scheme != "file":
        raise OperatorError("the files of hosts are not on this machine: nothing can be started here")
    return [
        LocalHost(server.host.name, Path(unquote(root.path)) / server.host.name, server.address)
        for server in view.servers(Server.status.not_in((Status.REMOVING, Status.GONE)))
        if server.host.deployment == LOCAL and (not only or server.host.name in only)
    ]


def public_folder(view: "View") -> PublicFolder | None:
    """Return the public store as a web server, if it is a directory and users reach it at a plain port."""
    store = urlsplit(view.settings.public_store)
    for url in view.settings.public_urls:
        place = urlsplit(url)
        if store.scheme == "file" and place.scheme == "http" and place.port and place.hostname:
            name = view.settings.network_name
            page = f"<!doctype html><title>{name}</title><h1>{name}</h1><p>The tunnel works.</p>\n".encode()
            return PublicFolder(Path(unquote(store.path)), place.hostname, place.port, page)
    return None


def _runs(directory: Path) -> bool:
    from headrace.server.control_client import find_server

    try:
        server = find_server(directory)
    except NetworkError:  # no server can be asked there: a path too long for a socket, say
        return False
    if server is not None:
        server.close()
    return server is not None


async def _read_on(process: asyncio.subprocess.Process) -> None:
    """Take what a process says: one that nobody listens to would stop."""
    assert process.stdout is not None
    while await process.stdout.readline():
        pass
