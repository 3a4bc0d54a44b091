"""The client's store: how soon it has a server to dial, and what importing a list costs."""

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figure
from bench.programs import BenchError
from bench.stacks import OURS
from headrace.documents.server_list import encode_list
from headrace.store.client.store import FILE_NAME
from headrace.testing.entries import REGIONS, make_entries

__all__ = ["PLAIN", "measure_store"]

PLAIN = "plain executemany"
TRIES = 3  # per round
_REGIONS = {"": "", ", region with many": REGIONS[0], ", region with few": REGIONS[-1]}


def measure_store(
    root: Path, rounds: int, kept: int, listed: int, say: Callable[[str], None]
) -> list[Figure]:
    """Start from a store of `kept` entries, and import a list of `listed` into an empty one."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    say(f"store: {kept:,} entries are made")
    full, path = root / "store", root / "list"
    _step("fill", full, kept)
    path.write_text(encode_list(make_entries(listed)))
    for number in range(rounds * TRIES):
        if number % TRIES == 0:
            say(f"store, round {number // TRIES + 1} of {rounds}")
        for what, region in _REGIONS.items():
            took = _step("first", full, region)["milliseconds"]
            found[f"first of {kept:,} entries{what}", OURS, "ms"].append(took)
        _step("leave", full)
        if not (full / f"{FILE_NAME}-wal").exists():
            raise BenchError("the killed process left no log")
        took = _step("first", full, "")["milliseconds"]
        found[f"first of {kept:,} entries, after a kill", OURS, "ms"].append(took)
        ours, plain = _fresh(root / "import"), _fresh(root / "plain")
        figures = _step("import", ours, path)
        found[f"import of {listed:,} entries", OURS, "s"].append(figures["seconds"])
        for what in ("longest slice", "longest slice, CPU time"):
            found[f"import of {listed:,} entries: {what}", OURS, "ms"].append(figures[what])
        found[f"import of {listed:,} entries: memory", OURS, "MB"].append(figures["megabytes"])
        found[f"import of {listed:,} entries", PLAIN, "s"].append(_step("plain", plain, path)["seconds"])
    return [Figure(measure, name, unit, tuple(values)) for (measure, name, unit), values in found.items()]


def _step(name: str, *arguments: object) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.store_steps", name, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    killed = -9 if name == "leave" else 0
    if result.returncode != killed or result.stderr:
        raise BenchError(f"store, {name}: {result.stderr or result.returncode}")
    return {measure: float(value) for measure, value in json.loads(result.stdout).items()}


def _fresh(directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    return directory
