"""The whole measurement: controls, then each subject's connections in batches, then the probes; one table.

Captures are kept only as long as their batch is judged, so that ten thousand connections fit on any disk.
"""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace.base.rng import SeededRng
from headrace.resist.capture import capture
from headrace.resist.controls import capture_controls
from headrace.resist.flows import Sample, read_flows
from headrace.resist.judging import DETECTORS, Judge
from headrace.resist.report import Row
from headrace.resist.subjects import BARE, Ours, Subject, running_server

__all__ = ["MEASURES", "Wanted", "measure"]

#: Connections that are captured and judged together.
BATCH: Final = 250
#: What can be asked for.
MEASURES: Final = tuple(dict.fromkeys(detector.split()[0] for detector in DETECTORS))
#: What has a bar for each of our modes; and what else has one where the connection is to pass for HTTP.
_ALWAYS: Final = frozenset(("F2e", "F2g", "F7", "F8"))
_PREFIXED: Final = _ALWAYS | {"F1"}
_DEFAULT: Final = _PREFIXED | {"F2a", "F2b", "F2c", "F2d", "F2f"}
_BARE: Final = _ALWAYS | {"F2a", "F2b", "F2c", "F2d", "F2f"}

#: What is being done, how much of it is done, and how much there is.
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure. Captures are kept in `keep`, if that is given."""

    connections: int
    modes: tuple[str, ...]
    measures: frozenset[str] = frozenset(MEASURES)
    seed: int = 1
    keep: Path | None = None


async def measure(wanted: Wanted, tell: Tell) -> list[Row]:
    """Return the table's rows. Raises OperatorError if nothing can be captured or no server starts."""
    rng = SeededRng(wanted.seed)
    rows = []
    async with _directory(wanted.keep) as directory:
        tell("controls", 0, 1)
        judge = Judge(wanted.measures, await capture_controls(directory, rng), wanted.seed)
        tell("controls", 1, 1)
        async with running_server(directory / "server") as server:
            for mode in wanted.modes:
                await _watch(Ours(server, mode, rng), judge, wanted, directory, tell)
                rows += judge.rows(mode, bars(mode))
    return rows


async def _watch(subject: Subject, judge: Judge, wanted: Wanted, directory: Path, tell: Tell) -> None:
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        tell(subject.name, done, wanted.connections)

    tell(subject.name, 0, wanted.connections)
    for first in range(0, wanted.connections, BATCH):
        pcap = directory / f"{subject.name}-{first}.pcap"
        with capture(pcap, [subject.port]):
            await subject.connect(min(BATCH, wanted.connections - first), one_more)
        judge.look(subject.name, Sample(pcap, read_flows(pcap, [subject.port]), subject.http, subject.framed))
        if wanted.keep is None:
            pcap.unlink()


def bars(mode: str) -> frozenset[str]:
    """Return the detectors that must find nothing in this mode."""
    if mode == BARE:
        return _BARE
    return _DEFAULT if mode in _ALL_SIGNS else _PREFIXED


#: The modes that every classifier must take for HTTP.
_ALL_SIGNS: Final = ("http-post", "http-chunked")


@contextlib.asynccontextmanager
async def _directory(keep: Path | None) -> AsyncIterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    directory = Path(tempfile.mkdtemp(prefix="headrace-resist-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)
