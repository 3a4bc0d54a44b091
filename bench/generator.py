"""The load generator: `load.c` where there is a compiler, `load.py` where there is none."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.programs import BenchError

__all__ = ["Generator", "Load"]

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of the generator came to."""

    requests: int
    failed: int
    seconds: float
    cpu_seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


class Generator:
    """Builds the generator once, into `directory`, and runs it."""

    def __init__(self, directory: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        self.native = compiler is not None
        if compiler is None:
            self._command = [sys.executable, str(_HERE / "load.py")]
            return
        program = directory / "load"
        command = [compiler, "-O2", "-pthread", "-o", str(program), str(_HERE / "load.c")]
        subprocess.run(command, check=True)
        self._command = [str(program)]

    def run(
        self, port: int, *, clients: int, requests: int, size: int, up: bool = False, pages: bool = False
    ) -> Load:
        """Load the proxy on `port`: one for SOCKS, or for HTTP if it is for `pages`.

        Raises BenchError when a request failed or bytes were wrong.
        """
        command = self._load(port, clients, requests, size, *(["--up"] * up), *(["--pages"] * pages))
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode > 1 or not result.stdout:
            raise BenchError(f"the load generator failed: {result.stderr.strip()}")
        return _checked(result.stdout)

    @contextmanager
    def holding(self, port: int, *, clients: int, size: int) -> Iterator[None]:
        """Get a page over each of so many connections to the HTTP proxy on `port`, and keep them open."""
        command = self._load(port, clients, clients, size, "--pages", "--hold")
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            _checked(process.stdout.readline())
            yield
            process.communicate()

    def _load(self, port: int, clients: int, requests: int, size: int, *flags: str) -> list[str]:
        options = {"--port": port, "--clients": clients, "--requests": requests, "--bytes": size}
        return [
            *self._command,
            *(text for name, value in options.items() for text in (name, str(value))),
            *flags,
        ]


def _checked(output: str) -> Load:
    load = Load(**json.loads(output))
    if load.failed:
        raise BenchError(f"{load.failed} of {load.requests} requests failed")
    return load
