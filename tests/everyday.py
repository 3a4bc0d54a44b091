"""What programs of everyday use need around them in a test: a client to go through, and somewhere to go.

async with everyday(directory, entry) as here:
    await here.curl(Way.SOCKS5, here.origin.url("/bytes/1000"), directory=directory)
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import websockets
from tests.interop.programs import curl
from tests.processes import Client, Way, running_client
from tests.website import Website, running_website
from websockets.asyncio.server import ServerConnection, serve

from headrace.testing.origin import Origin

__all__ = ["Everyday", "everyday"]


@dataclass(frozen=True, slots=True)
class Everyday:
    """A client in use, and what it is used for."""

    client: Client
    website: Website
    origin: Origin
    echo_port: int  #: of a WebSocket server that says what it is told

    def url(self, way: Way, path: str) -> str:
        """Return the URL of something on the website: programs ask for a connection where there is TLS."""
        return self.website.url(path, tls=way is Way.CONNECT)

    def curl_options(self, way: Way) -> list[str | Path]:
        """Return what makes curl go this way."""
        options: list[str | Path] = ["--proxy", self.client.proxy(way), "--cacert", self.website.authority]
        return [*options, "--proxytunnel"] if way is Way.CONNECT else options

    async def curl(self, way: Way, *arguments: str | Path, directory: Path) -> bytes:
        """Fetch with curl; return what it printed. Raises AssertionError if it fails."""
        return await curl(*self.curl_options(way), *arguments, directory=directory)


@asynccontextmanager
async def everyday(directory: Path, entry: str) -> AsyncIterator[Everyday]:
    """Run a client that goes through the server of this entry, and everything else."""
    async with (
        running_website(directory / "website") as website,
        Origin() as origin,
        serve(_echo, "127.0.0.1", 0) as echo,
        running_client(directory / "client", entry) as client,
    ):
        port = next(iter(echo.sockets)).getsockname()[1]
        yield Everyday(client, website, origin, port)


async def _echo(connection: ServerConnection) -> None:
    try:
        async for message in connection:
            await connection.send(message)
    except websockets.ConnectionClosed:
        pass
