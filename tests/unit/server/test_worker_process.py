"""A worker as a child of this process: what has ended takes orders and signals in silence."""

import signal
import sys

import pytest

from headrace.server.worker_link import LONGEST
from headrace.server.worker_process import WorkerProcess

pytestmark = pytest.mark.both_loops


async def start(program: str) -> WorkerProcess:
    return await WorkerProcess.start([sys.executable, "-S", "-c", program])


async def test_lines_go_both_ways_and_the_end_says_how() -> None:
    process = await start("print(input().upper(), flush=True); raise SystemExit(7)")
    process.write_line(b"order")
    assert await process.read_line() == b"ORDER\n"
    assert await process.read_line() == b""
    assert await process.wait() == 7


async def test_what_has_ended_hears_nothing() -> None:
    process = await start("")
    assert await process.read_line() == b""
    assert await process.wait() == 0
    for _ in range(2):
        process.write_line(b"order")  # the supervisor may not have noticed yet
        process.send_signal(signal.SIGTERM)


async def test_it_is_ended_by_a_signal() -> None:
    process = await start("input()")
    process.send_signal(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL


async def test_a_line_that_is_too_long_is_none() -> None:
    process = await start(f"print('x' * {LONGEST + 1}); print('next')")
    assert await process.read_line() == b"\n"
    while (line := await process.read_line()) == b"\n":
        pass
    assert line == b"next\n"
    assert await process.wait() == 0
