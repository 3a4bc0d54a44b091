"""The line between worker and supervisor."""

import asyncio
import io
import os

import pytest

from headrace.server.worker_link import Failed, Ready, Report, parent_gone, parse_report, report


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (Ready("OSSH on port 53"), b"ready OSSH on port 53\n"),
        (Ready(), b"ready \n"),
        (Failed("two\nlines"), b"failed two lines\n"),
    ],
)
def test_reports(message: Report, line: bytes) -> None:
    output = io.BytesIO()
    report(message, output)
    assert output.getvalue() == line
    assert parse_report(line) == type(message)(" ".join(message.text.split()))


@pytest.mark.parametrize("line", [b"\n", b"readyish\n", b"\xff\xfe\n", b"Ready\n"])
def test_other_lines_are_no_reports(line: bytes) -> None:
    assert parse_report(line) is None


async def test_the_parents_end_is_noticed() -> None:
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as input_:
        waiting = asyncio.create_task(parent_gone(input_))
        await asyncio.sleep(0)
        os.write(theirs, b"anything")
        await asyncio.sleep(0)
        assert not waiting.done()
        os.close(theirs)
        await asyncio.wait_for(waiting, 5)
