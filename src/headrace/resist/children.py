"""Programs that a measurement starts, and always ends."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from headrace.base.errors import OperatorError

__all__ = ["Child", "complete", "running"]

#: Seconds for a program to say what it is expected to say, and to end.
PATIENCE: Final = 30.0
_END: Final = 10.0
_LONGEST_LINE: Final = 1 << 20


class Child:
    """A program that runs. What it prints, on either stream, is read line by line."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._name = name
        self._process = process
        self._last = ""
        self._drain: asyncio.Task[None] | None = None

    async def says(self, text: str) -> str:
        """Return the next line that has `text` in it. Raises OperatorError if it ends, or takes too long."""
        try:
            async with asyncio.timeout(PATIENCE):
                while line := await self._line():
                    if text in line:
                        return line
        except TimeoutError:
            raise OperatorError(f"{self._name} did not get ready; it said last: {self._last}") from None
        raise OperatorError(f"{self._name} ended; it said last: {self._last}")

    def ignore(self) -> None:
        """What else it prints is of no interest, and must not fill its pipe."""
        self._drain = asyncio.get_running_loop().create_task(self._read_on())

    async def last_words(self) -> tuple[int, str]:
        """Ask it to end; return its exit status, and what it has said since `says`."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(_END):
                told, _ = await self._process.communicate()
        except TimeoutError:
            raise OperatorError(f"{self._name} does not end") from None
        return self._process.returncode or 0, told.decode("utf-8", "replace")

    async def end(self) -> None:
        """Ask it to end; insist if that does not help, and with all that it has started."""
        for ask in (self._process.terminate, self._kill):
            with suppress(ProcessLookupError):
                ask()
            with suppress(TimeoutError):
                async with asyncio.timeout(_END):
                    if self._drain is not None:
                        await asyncio.shield(self._drain)
                    await self._process.communicate()
                    return

    def _kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # it leads a session: any of them may hold its output

    async def _line(self) -> str:
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode("utf-8", "replace")
        self._last = line.strip() or self._last
        return line

    async def _read_on(self) -> None:
        assert self._process.stdout is not None
        while await self._process.stdout.read(_LONGEST_LINE):  # by lines, too long a one would end it
            pass


@asynccontextmanager
async def running(*command: str | Path, directory: Path) -> AsyncIterator[Child]:
    """Run a command in `directory` while the block does. Raises OperatorError if there is no such program."""
    child = Child(Path(command[0]).name, await _start(*command, directory=directory))
    try:
        yield child
    finally:
        await child.end()


async def complete(*command: str | Path, directory: Path) -> None:
    """Run a command to its end. Raises OperatorError with what it said if it fails."""
    process = await _start(*command, directory=directory)
    try:
        told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise OperatorError(f"{Path(command[0]).name} failed: {told.decode(errors='replace').strip()[-300:]}")


async def _start(*command: str | Path, directory: Path) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=directory,
            start_new_session=True,  # a Ctrl-C is for us: we end the others in order
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            limit=_LONGEST_LINE,
        )
    except OSError as error:
        raise OperatorError(f"{command[0]} cannot be started: {error.strerror}") from error
