"""A network where most servers are blocked: how long until there is a tunnel, beside the deployed client.

Of 100 servers 80 never answer, 10 are cut off at their first word, 5 take connections and say nothing, and 5
work. Each is at an address of its own. Either client is started with all of them and nothing else, in a new
data directory, in turns; which it happens to try first decides a lot, so many runs are made.
"""

import os
import selectors
import socket
import struct
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import ours
from bench.figures import Figure
from bench.programs import BenchError, free_port
from bench.stacks import GO_CLIENT, OURS
from headrace.documents.server_list import encode_list
from headrace.testing.dead_ends import silent, unreachable
from headrace.testing.entries import address_of, make_entries

__all__ = ["RUNS", "measure_blocked"]

#: Runs of each client.
RUNS = 20
DROPPED, RESETTING, STALLING, WORKING = 80, 10, 5, 5
#: Seconds after which a run counts as lasting so long.
LONGEST = 240.0
FROM_START, FROM_SESSION = "80 % dropped: process start to tunnel", "80 % dropped: session to tunnel"
_SESSION = b'"noticeType":"SessionId"'
_RESET = struct.pack("ii", 1, 0)


def measure_blocked(root: Path, runs: int, say: Callable[[str], None]) -> list[Figure]:
    """Start each client `runs` times."""
    clients = {OURS: ours.client_command, GO_CLIENT: _console_client}
    if not os.environ.get("HEADRACE_CONSOLE_CLIENT"):
        say("blocked: without the Go client, HEADRACE_CONSOLE_CLIENT is not set")
        del clients[GO_CLIENT]
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with _network(root) as entries:
        known = root / "blocked.servers"
        known.write_text("\n".join(entries) + "\n")
        for number in range(runs):
            for name, command in clients.items():
                directory = root / f"blocked-{number}-{name.partition(' ')[0]}"
                config = ours.client_config(directory, "", "OSSH", free_port())
                start, session = _run([*command(config), "-serverList", known], directory)
                found[FROM_START, name].append(start)
                found[FROM_SESSION, name].append(session)
                say(f"blocked, run {number + 1} of {runs}: {name} {start:.1f} s")
    return [
        Figure(measure, name, "s", tuple(values), f"{runs} runs")
        for (measure, name), values in sorted(found.items())
    ]


def _console_client(config: Path) -> list[str | Path]:
    return [os.environ["HEADRACE_CONSOLE_CLIENT"], "-config", config]


def _run(command: Sequence[str | Path], directory: Path) -> tuple[float, float]:
    """Return seconds to the notice of a tunnel: from the start of the process, and from its session's ID."""
    begun = session = time.perf_counter()
    wanted = ours.CONNECTED.encode()
    with subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=directory,
    ) as process:
        alarm = threading.Timer(LONGEST, process.kill)
        alarm.start()
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if _SESSION in line:
                    session = time.perf_counter()
                if wanted in line:
                    now = time.perf_counter()
                    return now - begun, now - session
            if time.perf_counter() - begun < LONGEST:
                raise BenchError("a client ended before it had a tunnel")
            return LONGEST, LONGEST
        finally:
            alarm.cancel()
            process.terminate()
            process.communicate()


# ---- the network -------------------------------------------------------------------------------------------


@contextmanager
def _network(root: Path) -> Iterator[list[str]]:
    """Run it; yields the servers' encoded entries."""
    first = 0

    def addresses(count: int) -> list[str]:
        nonlocal first
        first += count
        return [address_of(number) for number in range(first - count, first)]

    with ExitStack() as exits:
        dropped = exits.enter_context(unreachable(addresses(DROPPED)))
        resetting = exits.enter_context(_resetting(addresses(RESETTING)))
        stalling = exits.enter_context(silent(addresses(STALLING)))
        entries: list[str] = []
        for count, port in ((DROPPED, dropped), (RESETTING, resetting), (STALLING, stalling)):
            fields = make_entries(
                count, first=len(entries), port=port, capabilities=["OSSH", "ssh-api-requests"]
            )
            entries += encode_list(fields).split("\n")[:count]
        for address in addresses(WORKING):
            directory = root / f"blocked-server-{address}"
            directory.mkdir(mode=0o700)
            _, entry = ours.new_server(directory, address)
            exits.callback(ours.start_server(directory, address).stop)
            entries.append(entry)
        yield entries


@contextmanager
def _resetting(addresses: Sequence[str]) -> Iterator[int]:
    """Yield a port where connections are made, and reset once anything is said over them."""
    stopping = threading.Event()
    with ExitStack() as exits:
        selector = exits.enter_context(selectors.DefaultSelector())
        listeners: set[socket.socket] = set()
        port = 0
        for address in addresses:
            listener = exits.enter_context(socket.create_server((address, port), backlog=128))
            port = listener.getsockname()[1]
            listener.setblocking(False)
            selector.register(listener, selectors.EVENT_READ)
            listeners.add(listener)

        def serve() -> None:
            while not stopping.is_set():
                for key, _ in selector.select(0.2):
                    peer = key.fileobj
                    assert isinstance(peer, socket.socket)
                    if peer in listeners:
                        fresh, _ = peer.accept()
                        selector.register(fresh, selectors.EVENT_READ)
                        continue
                    selector.unregister(peer)
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    peer.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            stopping.set()
            thread.join()
            for key in list(selector.get_map().values()):
                if isinstance(key.fileobj, socket.socket) and key.fileobj not in listeners:
                    key.fileobj.close()
