"""The line between worker and supervisor."""

import asyncio

import msgspec
import pytest
from tests.worker_line import worker_line

from headrace.server.stats.snapshot import Snapshot
from headrace.server.worker_link import Do, Done, Failed, Order, Ready, Report, parse_report


@pytest.mark.both_loops
@pytest.mark.parametrize(
    "message",
    [
        Ready("OSSH on port 53"),
        Ready(),
        Failed("two\nlines", 1),
        Done(3),
        Done(4, "traffic-rules: not JSON"),
        Done(5, snapshot=Snapshot(workers=1, tunnels={f"OSSH/CH/AS{number}": 7 for number in range(9000)})),
    ],
    ids=lambda message: type(message).__name__,
)
async def test_reports(message: Report) -> None:
    async with worker_line() as line:
        line.link.tell(message)
        assert await line.report() == message
        await line.link.close()
        assert await line.rest() == b""


@pytest.mark.parametrize("line", [b"\n", b"ready\n", b"{}", b'{"is":"gone"}', b"\xff\xfe\n", b"[" * 10_000])
def test_other_lines_are_no_reports(line: bytes) -> None:
    assert parse_report(line) is None


@pytest.mark.both_loops
async def test_orders_come_one_after_the_other_until_the_supervisor_is_gone() -> None:
    orders = [Order(Do.PAUSE, 1, "operator"), Order(Do.SNAPSHOT, 2), Order(Do.RELOAD, 3)]
    async with worker_line() as line:
        for order in orders:
            line.write(msgspec.json.encode(order) + b"\n")
        line.hang_up()
        assert [order async for order in line.link.orders()] == orders


@pytest.mark.both_loops
async def test_nobody_to_hear_it_is_no_failure() -> None:
    async with worker_line() as line:
        pass
    line.link.tell(Ready())
    await asyncio.sleep(0)
    line.link.tell(Ready())
    await line.link.close()
