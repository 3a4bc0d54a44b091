"""What a client does with its store, timed in a process of its own: `python -m bench.store_steps STEP ...`.

    fill DIRECTORY COUNT [first]    keep so many entries
    leave DIRECTORY                 import some more, and end like a killed process in the middle of it
    first DIRECTORY [REGION]        open, draw an address, load its entry: milliseconds
    import DIRECTORY LIST           import a list on an event loop: seconds, longest slice, memory
    plain DIRECTORY LIST            the same entries through json and executemany: seconds

Each prints its figures as a JSON object.
"""

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TextIO

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.rng import SYSTEM_RNG
from headrace.documents.server_list import stream_list
from headrace.net.loop import run
from headrace.store.client.store import ClientStore
from headrace.testing.entries import make_entries

_LOCAL = {"localSource": "REMOTE", "localTimestamp": "2024-01-02T03:04:05Z"}


def fill(directory: str, count: str, first: str = "0") -> dict[str, float]:
    """Keep generated entries."""
    with closing(_open(directory)) as store:
        for _ in store.entries.import_entries(_generated(int(count), int(first)), replace=True):
            pass
    return {}


def leave(directory: str) -> dict[str, float]:
    """Be killed in the middle of an import, when the log is about as long as it gets."""
    store = _open(directory)
    for progress in store.entries.import_entries(_generated(2_000, 0), replace=True):
        if (Path(directory) / "client-store.db-wal").stat().st_size > 4 << 20 or progress.seen == 2_000:
            print("{}", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    return {}


def first(directory: str, region: str = "") -> dict[str, float]:
    """From nothing open to the first entry to dial."""
    begun = time.perf_counter()
    with closing(_open(directory)) as store:
        address = next(store.entries.addresses(SYSTEM_RNG, region=region))
        entry = store.entries.load(address, None)
        took = time.perf_counter() - begun
        assert entry is not None
        assert not region or entry.region == region
    return {"milliseconds": took * 1e3}


def import_list(directory: str, path: str) -> dict[str, float]:
    """Import on the loop, which runs between the slices."""
    store = _open(directory)
    before = _peak_memory()
    slices = []
    begun = time.perf_counter()

    async def in_slices(lines: TextIO) -> None:
        entries = stream_list(lines, _LOCAL["localSource"], _LOCAL["localTimestamp"])
        began, busy = begun, time.thread_time()
        for _ in store.entries.import_entries(entries, replace=True):
            slices.append((time.perf_counter() - began, time.thread_time() - busy))
            await asyncio.sleep(0)
            began, busy = time.perf_counter(), time.thread_time()

    with open(path, encoding="ascii") as lines:
        run(in_slices(lines))
    took = time.perf_counter() - begun
    store.close()
    return {
        "seconds": took,
        "longest slice": max(took for took, _ in slices) * 1e3,
        "longest slice, CPU time": max(busy for _, busy in slices) * 1e3,
        "megabytes": (_peak_memory() - before) / 1e6,
    }


def plain(directory: str, path: str) -> dict[str, float]:
    """The least that could be done: no check, no tag, no version, one transaction."""
    begun = time.perf_counter()
    with closing(sqlite3.connect(Path(directory) / "plain.db")) as database, open(path) as lines:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("CREATE TABLE entry (address TEXT PRIMARY KEY, fields BLOB)")
        texts = (bytes.fromhex(line.strip()).split(b" ", 4)[4] for line in lines)
        database.executemany("INSERT INTO entry VALUES (?, ?)", ((_address(text), text) for text in texts))
        database.commit()
    return {"seconds": time.perf_counter() - begun}


def _address(text: bytes) -> str:
    return str(json.loads(text)["ipAddress"])


def _open(directory: str) -> ClientStore:
    return ClientStore.open(Path(directory), SYSTEM_CLOCK, notify=lambda text: print(text, file=sys.stderr))


def _generated(count: int, first: int) -> Iterator[dict[str, object]]:
    return (fields | _LOCAL for fields in make_entries(count, first=first))


def _peak_memory() -> int:
    """Return the most bytes this process ever had resident."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def main() -> None:
    step, *arguments = sys.argv[1:]
    steps: dict[str, Callable[..., dict[str, float]]] = {
        "fill": fill,
        "leave": leave,
        "first": first,
        "import": import_list,
        "plain": plain,
    }
    print(json.dumps(steps[step](*arguments)))


if __name__ == "__main__":
    main()
