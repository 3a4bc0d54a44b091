"""P6 on a clock that is moved: what was recorded comes back hours and days later, and after restarts.

The server's half of the layer decides, with the seed history on disk that servers have; nothing is sent.
Each cell has recordings of its own. What the deployed format cannot give shows in the last one: there is no
time in a preamble, so what the history has forgotten is accepted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace.base.rng import Rng
from headrace.obfuscation.default_prefix import default_server_prefixes
from headrace.obfuscation.seed_history import SEED_LIFETIME
from headrace.obfuscation.server import Accepted, ServerObfuscator
from headrace.resist.probes.recording import Client
from headrace.store.seed_history import SeedHistory

__all__ = ["CELLS", "FORGOTTEN", "Cell", "replay_cells"]

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Cell:
    """How many recordings were accepted when they were fresh, and how many of their replays."""

    name: str
    fresh: int
    accepted: int


class _Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def boottime(self) -> float:
        return self.now


class _Server:
    """Two workers of one server, which can be started again."""

    def __init__(self, path: Path, rng: Rng) -> None:
        self.clock = _Clock()
        self.rng = rng
        self.client = Client(rng.bytes(32).hex().encode())
        self._prefixes = default_server_prefixes()
        self._path = path
        self._workers = self._start()

    def accepts(self, data: bytes, *, worker: int = 0, keyword: bytes = b"") -> bool:
        seen = self._workers[worker].seen
        obfuscator = ServerObfuscator(keyword or self.client.keyword, self.rng, seen, self._prefixes)
        return isinstance(obfuscator.receive(data), Accepted)

    def restart(self) -> None:
        self.close()
        self._workers = self._start()

    def close(self) -> None:
        for history in self._workers:
            history.close()

    def _start(self) -> Sequence[SeedHistory]:
        return [SeedHistory(self._path, self.clock) for _ in range(2)]


_Replay = Callable[[_Server, bytes], bool]


def _later(seconds: float) -> _Replay:
    def replay(server: _Server, data: bytes) -> bool:
        server.clock.now += seconds
        return server.accepts(data)

    return replay


def _after_a_restart(server: _Server, data: bytes) -> bool:
    server.restart()
    return server.accepts(data)


def _at_the_other_worker(server: _Server, data: bytes) -> bool:
    return server.accepts(data, worker=1)


def _at_another_server(server: _Server, data: bytes) -> bool:
    return server.accepts(data, keyword=server.rng.bytes(32).hex().encode())


#: The last cell: a replay that comes when its seed has been forgotten.
FORGOTTEN: Final = "when it is forgotten"
CELLS: Final[dict[str, _Replay]] = {
    "at once": _later(0),
    "after 1 s": _later(1),
    "after 1 h": _later(HOUR),
    "after 23 h 59 m": _later(DAY - 60),
    "after 25 h": _later(25 * HOUR),
    "after a restart": _after_a_restart,
    "at the other worker": _at_the_other_worker,
    "at another server": _at_another_server,
    FORGOTTEN: _later(SEED_LIFETIME),
}


def replay_cells(path: Path, count: int, rng: Rng) -> list[Cell]:
    """Replay `count` recordings in each cell; `path` is where the seed history is to be, a file that is new.

    Every other recording has a prefix.
    """
    server = _Server(path, rng)
    try:
        return [_cell(server, name, replay, count, rng) for name, replay in CELLS.items()]
    finally:
        server.close()


def _cell(server: _Server, name: str, replay: _Replay, count: int, rng: Rng) -> Cell:
    fresh = accepted = 0
    for number in range(count):
        data = server.client.record(rng, prefixed=bool(number % 2)).data
        fresh += server.accepts(data)
        accepted += replay(server, data)
    return Cell(name, fresh, accepted)
