"""What a server's processes hold at a moment: memory, file descriptors, and the objects of Python ones."""

from __future__ import annotations

import json
import os
import socket
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.procfs import file_descriptors, process_tree, resident_bytes

__all__ = ["Holdings", "look", "observing"]

_OBSERVER = Path(__file__).parent / "observer"
#: Seconds without a change of file descriptors after which none is expected, and the most to wait for that.
SETTLED, PATIENCE = 2.0, 20.0


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a program and its descendants hold. `objects` are counted by type; none of other languages'."""

    memory: int  # bytes
    descriptors: int
    objects: Counter[str]

    @property
    def tasks(self) -> int:
        return self.objects["_asyncio.Task"]

    def grown(self, before: Holdings, most: int = 4) -> str:
        """Name the types with the most new objects since `before`."""
        new = self.objects - before.objects
        return ", ".join(
            f"{number:+,} {kind.removeprefix('builtins.')}" for kind, number in new.most_common(most)
        )


def observing(directory: Path) -> dict[str, str]:
    """Return the environment in which Python programs can be looked into, by way of `directory`."""
    path = filter(None, (str(_OBSERVER), os.environ.get("PYTHONPATH")))
    return {"PYTHONPATH": os.pathsep.join(path), "HEADRACE_BENCH_OBSERVED": str(directory)}


def look(pid: int, directory: Path) -> Holdings:
    """Wait until a program has let go of what it is about to, and return what it holds then."""
    deadline = time.monotonic() + PATIENCE
    last, since = -1, time.monotonic()
    while time.monotonic() < min(deadline, since + SETTLED):
        time.sleep(0.1)
        if (now := file_descriptors([pid])) != last:
            last, since = now, time.monotonic()
    objects: Counter[str] = Counter()
    for member in process_tree(pid):
        objects += _objects(directory / str(member))
    return Holdings(resident_bytes([pid]), last, objects)


def _objects(place: Path) -> Counter[str]:
    if not place.exists():
        return Counter()
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(str(place))
        with peer.makefile("rb") as answer:
            return Counter(json.load(answer))
