"""A process of many clients, given orders: see `bench.crowd`."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from typing import Any

from bench.programs import BenchError
from bench.stacks import CIPHER, OURS, OURS_OVER_GO, Server, Stacks

__all__ = ["Crowd", "crowd", "each_server", "failures", "quantile"]


class Crowd:
    """The process; `pid` is its number."""

    def __init__(self, server: Server, protocol: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.crowd"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        if server.entry:
            self._say(entry=server.entry, protocol=protocol)
        else:
            self._say(port=server.ports[protocol], cipher=CIPHER)

    def order(self, do: str, **words: object) -> dict[str, Any]:
        """Give an order, wait for the answer. Raises BenchError when the crowd has failed."""
        return self._say(do=do, **words)

    def insist(self, do: str, **words: object) -> dict[str, Any]:
        """Give an order that must succeed throughout. Raises BenchError with what went wrong."""
        answer = self.order(do, **words)
        if errors := answer.get("errors"):
            raise BenchError(f"{do}: {errors}")
        return answer

    def begin(self, do: str, **words: object) -> None:
        """Give an order whose answer `finish` waits for."""
        self._write(do=do, **words)

    def finish(self) -> dict[str, Any]:
        """Return the answer to what was begun. Raises BenchError when the crowd has failed."""
        return self._read()

    def _say(self, **words: object) -> dict[str, Any]:
        self._write(**words)
        return self._read()

    def _write(self, **words: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchError("the crowd of clients has failed")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def crowd(server: Server, protocol: str = "OSSH") -> Iterator[Crowd]:
    """Run a crowd for the length of a with block."""
    clients = Crowd(server, protocol)
    try:
        yield clients
    finally:
        clients.stop()


def each_server(stacks: Stacks) -> list[tuple[str, str]]:
    """Return the servers that a crowd can load here, each as a subject and a kind."""
    return [(OURS, "headrace")] + ([] if stacks.missing(OURS_OVER_GO) else [(OURS_OVER_GO, "psiphond")])


def failures(answer: dict[str, Any]) -> tuple[int, str]:
    """Return how many of an answer's clients or forwards failed, and why, the commonest first."""
    errors = Counter(answer["errors"])
    return errors.total(), "; ".join(f"{count} × {text}" for text, count in errors.most_common())


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed, infinity if there is none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else inf
