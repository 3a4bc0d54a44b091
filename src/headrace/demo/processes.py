"""Processes of this very program, started, awaited by what they say, and ended in order."""

import asyncio
import os
import sys
from contextlib import suppress
from typing import BinaryIO, Final

__all__ = ["START_TIMEOUT", "end", "says", "spawn"]

#: Seconds for a process to get ready, and to end when asked to.
START_TIMEOUT: Final = 30.0
_END_TIMEOUT: Final = 5.0


async def spawn(
    *arguments: str, stderr: int | BinaryIO = asyncio.subprocess.PIPE
) -> asyncio.subprocess.Process:
    """Start `headrace` with these arguments; a Ctrl-C is for us, and does not reach it."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headrace", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        process_group=0,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


async def says(process: asyncio.subprocess.Process, text: bytes) -> bool:
    """Say whether a line with `text` comes from it in time."""
    assert process.stdout is not None
    with suppress(TimeoutError):
        async with asyncio.timeout(START_TIMEOUT):
            while line := await process.stdout.readline():
                if text in line:
                    return True
    return False


async def end(process: asyncio.subprocess.Process) -> None:
    """End a process: in its own time, or at once when that is over."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_END_TIMEOUT):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
