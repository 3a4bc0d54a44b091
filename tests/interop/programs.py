"""Other people's programs as child processes: started, watched by what they print, and always ended."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NoReturn

import pytest

__all__ = [
    "Program",
    "complete",
    "curl",
    "missing",
    "program",
    "run",
    "running",
    "through_socks",
    "unused_port",
]

PIPE = asyncio.subprocess.PIPE
#: Seconds for a program to say what it is expected to say.
PATIENCE = 20.0
#: How a program is told to end, and seconds to do so. ssh misses a signal that comes just as it falls asleep.
ENDINGS = ((signal.SIGTERM, 1.0), (signal.SIGTERM, 4.0), (signal.SIGKILL, 5.0))


def missing(what: str) -> NoReturn:
    """Something this test needs is not here: that is a failure where everything should be, else a skip."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing; CI has to provide it")
    pytest.skip(f"{what} is missing")


def program(name: str) -> str:
    """Return the path of a system program; see `missing` if there is none."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or missing(name)


def unused_port() -> int:
    """Return a port that nobody listened on a moment ago, for programs that cannot choose one themselves."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Program:
    """A running child; `lines` is all that it printed, on either stream."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process
        self.lines: list[str] = []
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def says(self, text: str, after: int = 0, patience: float = PATIENCE) -> str:
        """Wait for a line with `text`, from line `after` on; return it.

        Raises AssertionError with all that was printed if the program ends, or takes too long.
        """
        try:
            async with asyncio.timeout(patience):
                while True:
                    for line in self.lines[after:]:
                        if text in line:
                            return line
                    assert not self._reading.done(), self._report(f"ended without saying {text!r}")
                    after = len(self.lines)
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(self._report(f"did not say {text!r} within {patience:g} s")) from None

    async def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            async for line in self.process.stdout:
                self.lines.append(line.decode("utf-8", "replace").rstrip())
                self._news.set()
        finally:
            self._news.set()

    def _report(self, problem: str) -> str:
        return "\n".join([f"{self.name} {problem}; it printed:", *self.lines[-60:]])

    async def end(self) -> None:
        """Ask it and its children to end; insist if that does not help."""
        for number, patience in ENDINGS:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)  # its own group: it was started in a session of its own
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self.process.wait()
                    await asyncio.shield(self._reading)
                    return


@asynccontextmanager
async def running(
    *command: str | Path, directory: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Program]:
    """Run a command in `directory` until the block is left, however it is left."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=directory,
        env={**_environment(directory), **(environment or {})},
        start_new_session=True,
        limit=1 << 20,
    )
    child = Program(Path(command[0]).name, process)
    try:
        yield child
    finally:
        await child.end()


async def complete(
    *command: str | Path, directory: Path, text: bytes = b"", patience: float = PATIENCE
) -> bytes:
    """Run a command to its end with `text` as its input; return what it printed.

    Raises AssertionError if it fails.
    """
    done = await run(*command, directory=directory, text=text, patience=patience)
    assert done.returncode == 0, f"{command[0]} gave {done.returncode}: {done.stderr.decode()}"
    return done.stdout


async def run(
    *command: str | Path, directory: Path, text: bytes = b"", patience: float = PATIENCE
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end, however it ends, with `text` as its input. Raises TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd=directory,
        env=_environment(directory),
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(patience):
            output, errors = await process.communicate(text)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()
    return subprocess.CompletedProcess(command, process.returncode or 0, output, errors)


def _environment(directory: Path) -> dict[str, str]:
    """Return variables that have nothing of their owner's in them: no proxy to use or not, no settings."""
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(directory)}


async def curl(*arguments: str | Path, directory: Path) -> bytes:
    """Fetch with curl; return the body. Raises AssertionError if curl or the server reports an error."""
    return await complete(
        program("curl"), "-q", "--silent", "--show-error", "--fail", *arguments, directory=directory
    )


async def through_socks(
    proxy_port: int, host: str, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect through a SOCKS5 proxy on loopback, which gets the host as a name. Raises ConnectionError."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy_port)
    try:
        writer.write(b"\x05\x01\x00")
        method = await reader.readexactly(2)
        name = host.encode()
        writer.write(b"\x05\x01\x00\x03" + bytes((len(name),)) + name + port.to_bytes(2, "big"))
        reply = await reader.readexactly(10)
    except asyncio.IncompleteReadError as error:
        writer.close()
        raise ConnectionError("the proxy closed the connection") from error
    if method != b"\x05\x00" or reply[1]:
        writer.close()
        raise ConnectionError(f"the proxy answered {method.hex()}, {reply.hex()}")
    return reader, writer
