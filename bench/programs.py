"""Programs under test: started with a log, waited for until they are ready, ended whatever happens."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["BenchError", "Program", "accepts", "free_port", "wait_for"]

PATIENCE = 20.0  # seconds for a program to become ready


class BenchError(Exception):
    """A program could not be started or failed; the text says which, and what it said."""


def free_port() -> int:
    """Return a loopback port that nobody listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether somebody accepts connections on a loopback port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_for(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait until a condition holds. Raises BenchError naming `what` did not come."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: nothing within {patience:g} s")
        time.sleep(0.01)


class Program:
    """A process in a group of its own; what it writes goes to `log`."""

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        self.pid = self._process.pid

    def ready(self, condition: Callable[[], bool]) -> "Program":
        """Wait until the condition holds, and return this. Raises BenchError with the log's end."""

        def holds() -> bool:
            if self._process.poll() is not None:
                raise BenchError(f"{self.log.stem} ended with {self._process.returncode}: {self.tail()}")
            return condition()

        try:
            wait_for(holds, f"{self.log.stem} is not ready")
        except BenchError:
            self.stop()
            raise
        return self

    def ready_when_logged(self, text: str) -> "Program":
        """Wait until the log contains `text`, and return this."""
        return self.ready(lambda: text.encode() in self.log.read_bytes())

    def tail(self) -> str:
        """Return the end of what the program said."""
        return self.log.read_bytes()[-600:].decode(errors="replace").strip()

    def stop(self) -> None:
        """End the program: a request first, then by force."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        with suppress(ProcessLookupError):
            os.killpg(self.pid, 9)
        self._process.wait()
