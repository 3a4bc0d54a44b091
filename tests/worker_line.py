"""A supervisor's end of the line to a worker that runs in this process."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from headrace.server.worker_link import Do, Done, Order, Report, WorkerLink, parse_report

__all__ = ["WorkerLine", "worker_line"]


class WorkerLine:
    """Gives orders to whoever has `link`, and hears its reports."""

    def __init__(self, link: WorkerLink, orders: int, reports: asyncio.StreamReader) -> None:
        self.link = link
        self._orders = orders
        self._reports = reports
        self._number = 0

    async def report(self) -> Report | None:
        """Return the next report."""
        return parse_report(await self._reports.readline())

    async def rest(self) -> bytes:
        """Return whatever else comes until the worker closes its end."""
        return await self._reports.read()

    def write(self, data: bytes) -> None:
        """Write something to the worker."""
        os.write(self._orders, data)

    async def order(self, do: Do, reason: str = "") -> Done:
        """Give an order; return the answer, which must be the next report."""
        self._number += 1
        self.write(msgspec.json.encode(Order(do, self._number, reason)) + b"\n")
        answer = await self.report()
        assert isinstance(answer, Done)
        assert answer.number == self._number
        return answer

    def hang_up(self) -> None:
        """Be no more, as far as the worker can tell."""
        if self._orders >= 0:
            os.close(self._orders)
            self._orders = -1


@asynccontextmanager
async def worker_line() -> AsyncIterator[WorkerLine]:
    """Give a line during the block."""
    their_input, our_output = os.pipe()
    our_input, their_output = os.pipe()
    loop = asyncio.get_running_loop()
    reports = asyncio.StreamReader(limit=1 << 20)
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reports), os.fdopen(our_input, "rb")
    )
    link = await WorkerLink.open(os.fdopen(their_input, "rb"), os.fdopen(their_output, "wb"))
    line = WorkerLine(link, our_output, reports)
    try:
        yield line
    finally:
        line.hang_up()
        await link.close()
        transport.close()
