"""Plain pages through the HTTP proxy on kept connections: how many a second, CPU time, what idle ones cost.

Our client and the deployed one sit before one server of ours and ask the same origin, in turns.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack

from bench.figures import Figure
from bench.generator import Generator
from bench.procfs import cpu_seconds, resident_bytes
from bench.programs import BenchError
from bench.stacks import GO_OVER_OURS, OURS, Stack, Stacks

__all__ = ["IDLE_MEMORY", "PAGES", "measure_http"]

#: Connections at once and bytes of a page, by the name of the measure.
PAGES = {
    f"pages of {size // 1024} KB, {clients} at once": (clients, size)
    for size in (1024, 16384)
    for clients in (1, 20, 100)
}
#: Connections that are kept open and idle.
IDLE = 500
IDLE_MEMORY = f"memory of {IDLE} idle connections to the HTTP proxy"


def measure_http(
    generator: Generator, stacks: Stacks, rounds: int, requests: int, say: Callable[[str], None]
) -> list[Figure]:
    """Get `requests` pages of each kind through each client in each round, then look at idle connections."""
    if not generator.native:
        raise BenchError("pages need the load generator in C, hence a C compiler")
    names = [name for name in (OURS, GO_OVER_OURS) if not stacks.missing(name)]
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    with ExitStack() as exits:
        server = exits.enter_context(stacks.server("headrace"))
        clients = [stacks.client(exits, server, name, http=True) for name in names]
        for client in clients:
            generator.run(_port(client), clients=100, requests=requests, size=1024, pages=True)
        for number in range(rounds):
            say(f"pages, round {number + 1} of {rounds}")
            turned = [*clients[number % len(clients) :], *clients[: number % len(clients)]]
            for measure, (at_once, size) in PAGES.items():
                for client in turned:
                    before = cpu_seconds([client.client.pid])
                    load = generator.run(
                        _port(client), clients=at_once, requests=requests, size=size, pages=True
                    )
                    spent = cpu_seconds([client.client.pid]) - before
                    found[measure, client.name, "1/s"].append(load.rate)
                    found[f"{measure}: CPU of the client", client.name, "µs each"].append(
                        spent * 1e6 / requests
                    )
        for client in clients:
            found[IDLE_MEMORY, client.name, "MB"].append(_idle(generator, client))
    return [Figure(measure, name, unit, tuple(values)) for (measure, name, unit), values in found.items()]


def _port(client: Stack) -> int:
    assert client.http_port is not None
    return client.http_port


def _idle(generator: Generator, client: Stack) -> float:
    before = resident_bytes([client.client.pid])
    with generator.holding(_port(client), clients=IDLE, size=1024):
        time.sleep(1.0)
        return (resident_bytes([client.client.pid]) - before) / 1e6
