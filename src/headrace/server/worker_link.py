"""The line between a worker process and its supervisor: the worker's standard input and output.

    worker ──► supervisor   "ready <text>" once it listens, or "failed <text>" when it cannot; one line
    supervisor ──► worker   nothing, but as long as it lives the worker's input stays open

Everything else a worker has to say goes to its log.
"""

import asyncio
import sys
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["Failed", "Ready", "Report", "parent_gone", "parse_report", "report"]


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker listens; the text says on what."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker gave up; the text is for the operator."""

    text: str = ""
    exit_code: int = 2


Report = Ready | Failed


def report(message: Report, output: BinaryIO | None = None) -> None:
    """Tell the supervisor, from the worker."""
    word = "ready" if isinstance(message, Ready) else "failed"
    output = output or sys.stdout.buffer
    output.write(f"{word} {' '.join(message.text.split())}\n".encode())
    output.flush()


def parse_report(line: bytes) -> Report | None:
    """Return what a line from a worker says, None for a line that is no report."""
    word, _, text = line.decode(errors="replace").strip().partition(" ")
    if word == "ready":
        return Ready(text)
    return Failed(text) if word == "failed" else None


async def parent_gone(input_: BinaryIO | None = None) -> None:
    """Return when the supervisor is no more: then the worker has to end as well."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader, loop=loop), input_ or sys.stdin.buffer
    )
    try:
        while await reader.read(1024):
            pass
    finally:
        transport.close()
