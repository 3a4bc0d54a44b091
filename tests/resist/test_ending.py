"""A measurement that is ended before its time leaves nothing running, and nothing behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from tests.interop.programs import program

pytestmark = pytest.mark.timeout(60)


@pytest.mark.root
async def test_all_it_has_started_ends_with_it(tmp_path: Path) -> None:
    program("tcpdump")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headrace", "resist", "--size", "10000", "--only", "F1", "--modes", "bare"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    while b"bare" not in (line := await process.stdout.readline()):
        assert line, "it ended by itself"
    started = psutil.Process(process.pid).children(recursive=True)
    assert started
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 130
    left = psutil.wait_procs(started, timeout=0)[1]
    assert [each for each in left if each.status() != psutil.STATUS_ZOMBIE] == []
    assert not list(tmp_path.iterdir())
