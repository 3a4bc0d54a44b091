"""From nothing to the first byte: a client is started, and a byte goes through its proxy and back."""

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import ours
from bench.figures import Figure
from bench.origins import EchoOrigin
from bench.programs import BenchError, free_port
from bench.socks import first_byte
from bench.stacks import GO, OURS, Stacks

__all__ = ["measure_start"]

TRIES = 3  # per round


def measure_start(stacks: Stacks, root: Path, rounds: int, say: Callable[[str], None]) -> list[Figure]:
    """Start our client, and the deployed one, on a server of the same make with one entry."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with ExitStack() as exits:
        origin = exits.enter_context(EchoOrigin())
        servers = {OURS: exits.enter_context(stacks.server("headrace"))}
        if not stacks.missing(GO):
            servers[GO] = exits.enter_context(stacks.server("psiphond"))
        for number in range(rounds * TRIES):
            if number % TRIES == 0:
                say(f"start, round {number // TRIES + 1} of {rounds}")
            for name, server in servers.items():
                directory = root / f"start-{number}-{name.partition(' ')[0]}"
                port = free_port()
                config = ours.client_config(directory, server.entry, "OSSH", port)
                command = ours.client_command(config)
                if name == GO:
                    command = [os.environ["HEADRACE_CONSOLE_CLIENT"], "-config", config]
                tunnel, byte = _start(command, port, origin)
                found["process start to tunnel", name].append(tunnel)
                found["process start to first byte", name].append(byte)
        where = (servers[OURS].entry, str(origin.port))
        found["started loop to first byte", OURS] += _ask("started_loop", *where, str(rounds * TRIES))
        for _ in range(rounds * TRIES):
            for measure, values in _ask("embedded", *where, "1").items():
                found[measure, OURS] += values
    return [Figure(measure, name, "ms", tuple(values)) for (measure, name), values in found.items()]


def _ask(module: str, *arguments: str) -> Any:
    """Return what a module of ours prints as JSON, run by itself."""
    command = [sys.executable, "-m", f"bench.{module}", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _start(command: list[str | Path], port: int, origin: EchoOrigin) -> tuple[float, float]:
    """Return milliseconds to the notice of a tunnel, and to the byte."""
    wanted = ours.CONNECTED.encode()
    begun = time.perf_counter()
    with subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stderr is not None
            if not any(wanted in line for line in process.stderr):
                raise BenchError("a client ended before it had a tunnel")
            tunnel = time.perf_counter() - begun
            first_byte(port, origin)
            byte = time.perf_counter() - begun
        finally:
            process.terminate()
            process.communicate()
    return tunnel * 1e3, byte * 1e3
