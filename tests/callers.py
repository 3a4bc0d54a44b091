"""A web site on loopback that notes which process each of its connections comes from."""

import asyncio
from dataclasses import dataclass, field
from typing import Self

import psutil  # type: ignore[import-untyped]

__all__ = ["Site"]

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhere\n"


@dataclass
class Site:
    """The site, listening while the `async with` block runs. `callers` are process IDs."""

    host: str = "127.0.0.1"
    port: int = 0
    callers: list[int] = field(default_factory=list)
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._answer, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        assert self._server is not None
        self._server.close()

    def url(self, host: str = "") -> str:
        """Return the URL of its page, by its address or another name of it."""
        return f"http://{host or self.host}:{self.port}/"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, own = (tuple(writer.get_extra_info(name)) for name in ("peername", "sockname"))
        ends = [each for each in psutil.net_connections("tcp") if (each.laddr, each.raddr) == (peer, own)]
        self.callers.append(ends[0].pid)
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_ANSWER)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # it has gone
        finally:
            writer.close()
