"""The line between a worker process and its supervisor: the worker's standard input and output, JSON lines.

    worker ──► supervisor   {"is":"ready","text":…} once it listens, {"is":"failed","text":…} if it cannot
    supervisor ──► worker   {"do":"reload","number":7}, one of `Do`, any time after that
    worker ──► supervisor   {"is":"done","number":7}, in whatever order they come to be done

As long as the supervisor lives the worker's input stays open. Everything else a worker has to say goes to its
log. No message has room for anything of a single client.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import BinaryIO, Final

import msgspec

from headrace.server.stats.snapshot import Snapshot

__all__ = ["LONGEST", "Do", "Done", "Failed", "Order", "Ready", "Report", "WorkerLink", "parse_report"]

#: Bytes of a line at most: the figures of a worker name every country and network it has clients from.
LONGEST: Final = 16 << 20


class Do(StrEnum):
    """What a worker can be ordered to do."""

    PAUSE = "pause"  #: take no new connections, for a reason
    RELOAD = "reload"  #: read your files again
    RESUME = "resume"  #: the reason is gone
    SNAPSHOT = "snapshot"  #: tell your figures, which also tells that you are alive


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to do; the number comes back with the answer."""

    do: Do
    number: int = 0
    reason: str = ""


class Ready(msgspec.Struct, frozen=True, tag_field="is", tag="ready"):
    """The worker listens; the text says on what."""

    text: str = ""


class Failed(msgspec.Struct, frozen=True, tag_field="is", tag="failed"):
    """The worker gave up; the text is for the operator."""

    text: str = ""
    exit_code: int = 2


class Done(msgspec.Struct, frozen=True, tag_field="is", tag="done", omit_defaults=True):
    """The order of this number was carried out, or was not: then `error` says why."""

    number: int = 0
    error: str = ""
    snapshot: Snapshot | None = None


Report = Ready | Failed | Done

_orders = msgspec.json.Decoder(Order)
_reports: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


def parse_report(line: bytes) -> Report | None:
    """Return what a line from a worker says, None for a line that is no report."""
    try:
        return _reports.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


class WorkerLink:
    """The worker's end: `open` it before anything else, then `tell` and follow `orders`."""

    def __init__(
        self, reader: asyncio.StreamReader, input_: asyncio.BaseTransport, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._input = input_
        self._writer = writer

    @classmethod
    async def open(cls, input_: BinaryIO | None = None, output: BinaryIO | None = None) -> "WorkerLink":
        """Return the line over two pipes, the standard ones if none are given."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        source, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader, loop=loop), input_ or sys.stdin.buffer
        )
        protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=loop), loop=loop)
        transport, _ = await loop.connect_write_pipe(lambda: protocol, output or sys.stdout.buffer)
        return cls(reader, source, asyncio.StreamWriter(transport, protocol, None, loop))

    def tell(self, report: Report) -> None:
        """Send a report, which is not waited for; nothing happens when the supervisor is no more."""
        with contextlib.suppress(RuntimeError):  # which is what uvloop says of a closed pipe
            self._writer.write(msgspec.json.encode(report) + b"\n")

    async def orders(self) -> AsyncIterator[Order]:
        """Yield the supervisor's orders until it is no more: then the worker has to end as well."""
        while line := await self._reader.readline():
            yield _orders.decode(line)

    async def close(self) -> None:
        """Hear no more; see to it that what was told goes out."""
        self._input.close()
        self._writer.close()
        with contextlib.suppress(OSError):  # nobody is there to hear it
            await self._writer.wait_closed()
