"""A worker as a child of this process, and the line to it."""

import asyncio
import contextlib
import os
from collections.abc import Sequence

from headrace.server.worker_link import LONGEST

__all__ = ["WorkerProcess"]

#: How the service manager wants to be spoken to: by its child.
_FOR_US_ALONE = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")


class WorkerProcess:
    """A child in a session of its own: a terminal's Ctrl-C is for the supervisor alone."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, command: Sequence[str]) -> "WorkerProcess":
        """Start one. Raises OSError."""
        pipe = asyncio.subprocess.PIPE
        environment = {name: value for name, value in os.environ.items() if name not in _FOR_US_ALONE}
        return cls(
            await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, env=environment, start_new_session=True, limit=LONGEST
            )
        )

    @property
    def id(self) -> int:
        """The system's number for it."""
        return self._process.pid

    async def read_line(self) -> bytes:
        """Return the next line it wrote, b"" once there are no more."""
        assert self._process.stdout is not None
        try:
            return await self._process.stdout.readline()
        except ValueError:  # too long for a line of ours; it has been thrown away
            return b"\n"

    def write_line(self, line: bytes) -> None:
        """Write a line to it; nothing happens when it has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, RuntimeError):  # the latter is what uvloop says of a closed pipe
            self._process.stdin.write(line + b"\n")

    async def wait(self) -> int:
        """Return the exit code; a negative one is the signal that ended the process."""
        return await self._process.wait()

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing happens when the process has ended."""
        if self._process.returncode is None:
            self._process.send_signal(number)
