"""Clients that come and go, as many as in four hours: whether anything stays behind at the server."""

import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from bench.crowds import crowd, each_server, failures
from bench.figures import Figure, Findings
from bench.observed import Holdings, look, observing
from bench.origins import EchoOrigin
from bench.stacks import Server, Stacks

__all__ = ["FOUR_HOURS", "measure_churn"]

#: Tunnels in four hours at one a second, and the port forwards of each.
FOUR_HOURS, FORWARDS = 4 * 3600, 10
AT_ONCE = 32  # tunnels
PARTS = 8  # looks at the server; the first one, when caches are full, is what the last one is compared with


def measure_churn(stacks: Stacks, tunnels: int, say: Callable[[str], None]) -> list[Figure]:
    """Let `tunnels` clients come and go as fast as may be; compare the server after an eighth and in the end.

    Nothing is open either time. Objects can be told of our own server only.
    """
    found = Findings()
    for subject, kind in each_server(stacks):
        with tempfile.TemporaryDirectory(prefix="observed-") as place:
            with stacks.server(kind, env=observing(Path(place))) as server:
                _one(found, server, subject, tunnels, Path(place), say)
    return found.figures()


def _one(
    found: Findings, server: Server, subject: str, tunnels: int, place: Path, say: Callable[[str], None]
) -> None:
    name = f"{tunnels:,} clients come and go"
    errors: Counter[str] = Counter()
    looks: list[Holdings] = []
    with EchoOrigin() as origin, crowd(server) as clients:
        for part in range(PARTS):
            say(f"churn at {subject}, part {part + 1} of {PARTS}")
            answer = clients.order(
                "churn",
                port=origin.port,
                strangers=server.ports["OSSH"],
                tunnels=tunnels // PARTS,
                forwards=FORWARDS,
                at_once=AT_ONCE,
            )
            errors += Counter(answer["errors"])
            looks.append(look(server.program.pid, place))
    first, last = looks[0], looks[-1]
    found.add(f"{name}: failed", subject, "", *failures({"errors": errors}))
    steps = " ".join(f"{(b.memory - a.memory) / 1e6:+.1f}" for a, b in pairwise(looks))
    found.add(f"{name}: memory grew by", subject, "MB", (last.memory - first.memory) / 1e6, steps)
    found.add(f"{name}: file descriptors grew by", subject, "", last.descriptors - first.descriptors)
    if first.objects:
        more = last.objects.total() - first.objects.total()
        found.add(f"{name}: objects grew by", subject, "", more, last.grown(first))
        found.add(f"{name}: tasks grew by", subject, "", last.tasks - first.tasks)
