"""A wire tap in front of a server's port: shows the first bytes each way, or blocks as a censor would."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

__all__ = ["FirstBytes", "Tap"]

#: Bytes of each direction that are kept.
KEPT: Final = 64
_PIECE: Final = 256 * 1024


@dataclass
class FirstBytes:
    """How one connection began, each way."""

    from_client: bytearray = field(default_factory=bytearray)
    from_server: bytearray = field(default_factory=bytearray)


class Tap:
    """Listens on `port` and passes on to `target`; a `blocking` one reads, and lets nothing through."""

    def __init__(self, target: int, *, blocking: bool = False) -> None:
        self.port = 0
        self.connections: list[FirstBytes] = []
        self._target = target
        self._blocking = blocking
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop what is connected."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        seen = FirstBytes()
        self.connections.append(seen)
        try:
            if self._blocking:
                await _copy(reader, None, seen.from_client)
            else:
                await self._pass_on(reader, writer, seen)
        except (OSError, asyncio.CancelledError):
            pass  # one side has gone, or the demonstration is over
        finally:
            writer.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: FirstBytes
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, far_writer, seen.from_client))
                group.create_task(_copy(far_reader, writer, seen.from_server))
        except* OSError:
            pass
        finally:
            far_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None, kept: bytearray) -> None:
    """Pass on until the end, which is passed on too; keep the beginning."""
    while data := await reader.read(_PIECE):
        if len(kept) < KEPT:
            kept += data[: KEPT - len(kept)]
        if writer is not None:
            writer.write(data)
            await writer.drain()
    if writer is not None and writer.can_write_eof():
        writer.write_eof()
