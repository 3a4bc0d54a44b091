"""What the kit's web servers have in common: they listen on loopback for a block, and speak HTTP by h11."""

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Self

import h11

__all__ = ["WebListener"]


@dataclass
class WebListener(ABC):
    """Listens while the `async with` block runs; port 0 lets the system choose one."""

    host: str = "127.0.0.1"
    port: int = 0
    _server: asyncio.Server | None = field(default=None, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, path: str = "/") -> str:
        """Return the URL of `path` on this server."""
        return f"http://{self.host}:{self.port}{path}"

    @abstractmethod
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, h11.ProtocolError, asyncio.CancelledError):
            pass  # the client has gone, or talks nonsense, or we are closing
        finally:
            writer.close()
            self._tasks.discard(task)
