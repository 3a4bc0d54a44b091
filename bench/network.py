"""A whole network: planned, published, changed; and a capability taken from all of it, as clients see it."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

from bench.figures import Figure, Findings
from bench.programs import BenchError, free_port
from bench.stacks import OURS
from headrace.cli.network.local import PublicFolder

__all__ = ["CLIENTS", "measure_network"]

#: Clients that fetch lists in a drill.
CLIENTS = 4
_PATIENCE = 120.0


def measure_network(
    root: Path, rounds: int, size: tuple[int, int, int], drilled: int, say: Callable[[str], None]
) -> list[Figure]:
    """Publish a network of so many servers, channels and sponsors; hold a drill with `drilled` servers."""
    found = Findings()
    servers, channels, sponsors = size
    what = f"network of {servers:,}"
    for number in range(rounds):
        say(f"network, round {number + 1} of {rounds}")
        place = root / f"network-{number}"
        place.mkdir()
        _step("build", place, servers, channels, sponsors)
        found.add(f"{what}: plan", OURS, "s", _step("plan", place)["seconds"])
        full = _step("publish", place)
        note = f"{full['contents']:,.0f} contents, {full['objects']:,.0f} objects"
        found.add(f"{what}: full publication", OURS, "s", full["seconds"], note)
        found.add(f"{what}: memory of that", OURS, "MB", full["MB"])
        found.add(f"{what}: nothing to publish", OURS, "s", _step("publish", place)["seconds"])
        _step("change", place)
        one = _step("publish", place)
        note = f"{one['contents']:,.0f} contents, {one['objects']:,.0f} objects"
        found.add(f"{what}: one server changed", OURS, "s", one["seconds"], note)
        _drill(found, root / f"drill-{number}", drilled, say)
    return found.figures()


def _drill(found: Findings, place: Path, servers: int, say: Callable[[str], None]) -> None:
    """Revoke a capability of a network that is blocked whole: clients have lists only."""
    place.mkdir()
    port = free_port()
    _step("build", place, servers, 1, 1, f"http://127.0.0.1:{port}")
    _step("publish", place)
    (bundle,) = (place / "bundles").glob("*/bundle.json")
    places = [place / f"client-{number}" for number in range(CLIENTS)]
    with _served(place / "public", port):
        with ExitStack() as exits:
            for store in [exits.enter_context(_client(directory, bundle)) for directory in places]:
                _until(partial(_has_list, store, servers))
        begun = time.monotonic()
        planned = _step("revoke", place)
        assert planned["servers"] == servers
        _step("publish", place, "L")
        published = time.monotonic()
        with ExitStack() as exits:
            # A client that fails to connect is started again; otherwise lists are fetched every six hours.
            for store in [exits.enter_context(_client(directory, bundle)) for directory in places]:
                _until(partial(_has_dropped, store))
        dropped = time.monotonic()
    what = f"revoked from {servers:,}"
    found.add(f"{what}: plan", OURS, "s", planned["seconds"], f"{planned['contents']:,.0f} contents")
    found.add(f"{what}: to publication", OURS, "s", published - begun)
    found.add(f"{what}: to the last client", OURS, "s", dropped - begun, f"{CLIENTS} clients, all blocked")
    after = f"published after {published - begun:.1f} s, dropped after {dropped - begun:.1f} s"
    say(f"drill of {servers} servers: {after}")


@contextmanager
def _served(folder: Path, port: int) -> Iterator[None]:
    """Serve the public store from a thread."""
    started, stopping = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with PublicFolder(folder, "127.0.0.1", port):
            started.set()
            await stopping.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
        loop.close()


@contextmanager
def _client(directory: Path, bundle: Path) -> Iterator[Path]:
    """Run a client that has only a bundle; give its store."""
    directory.mkdir(exist_ok=True)
    words = ("client", "--config", str(bundle), "--data-root-directory", str(directory))
    process = subprocess.Popen(
        [sys.executable, "-m", "headrace", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _until(lambda: any(directory.rglob("client-store.db")))
        yield next(directory.rglob("client-store.db"))
    finally:
        process.terminate()
        process.wait()


def _has_list(store: Path, servers: int) -> bool:
    return _count(store, "entry") >= servers and _count(store, "etag") > 0


def _has_dropped(store: Path) -> bool:
    return _count(store, "entry WHERE version = 0") == 0


def _count(store: Path, where: str) -> int:
    with closing(sqlite3.connect(store, timeout=30)) as database:
        try:
            return int(database.execute(f"SELECT count(*) FROM {where}").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # it is about to be made


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise BenchError(f"a client did not do within {_PATIENCE:g} s what it should")
        time.sleep(0.05)


def _step(name: str, *arguments: object) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.network_steps", name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
