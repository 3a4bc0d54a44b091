"""Establishments by the thousand, without a network: how long until there is a tunnel, after how many dials.

Each is among 1,000 servers of which a share is blocked in mixed ways, with nothing known of any. Time is the
scheduler's own, so the figures say what the order, the patience and the pool do, and nothing of the machine.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from statistics import median, quantiles

from bench.figures import Figure
from bench.programs import BenchError
from headrace.base.rng import SeededRng
from headrace.client.servers import FixedServers
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.candidates import Candidates
from headrace.establishment.dial_settings import DialSettings
from headrace.establishment.policy import Collect, FirstReady, SelectionPolicy
from headrace.establishment.replay import MemoryRecords, Replay
from headrace.establishment.scheduler import Scheduler
from headrace.establishment.settings import EstablishmentSettings
from headrace.testing.entries import make_entries
from headrace.testing.establishments import mixed_fates, play

__all__ = ["ESTABLISHMENTS", "measure_establishments"]

#: For each share blocked and policy.
ESTABLISHMENTS = 10_000
KNOWN = 1000
BLOCKED = (0.5, 0.9, 0.99)
#: Dials that tell two orders apart; fewer are of no use for that.
FIRST = 8
POLICIES: dict[str, SelectionPolicy] = {"first ready": FirstReady(), "collect": Collect()}
#: Establishments that a process plays before it is given others.
BATCH = 250


@dataclass(frozen=True, slots=True)
class Played:
    """How one went: until there was a tunnel, and whom it dialled first."""

    seconds: float
    dials: int
    most_at_once: int
    order: tuple[tuple[str, str], ...]


def measure_establishments(count: int, say: Callable[[str], None]) -> list[Figure]:
    """Play `count` establishments for each share blocked and policy, on all cores."""
    figures: list[Figure] = []
    with ProcessPoolExecutor() as processes:
        for blocked in BLOCKED:
            for policy in POLICIES:
                batches = [range(first, min(first + BATCH, count)) for first in range(0, count, BATCH)]
                found = processes.map(_play, batches, [blocked] * len(batches), [policy] * len(batches))
                results = [result for batch in found for result in batch]
                _tell_apart(results, f"{blocked:.0%} blocked, {policy}")
                figures += _figures(blocked, policy, results)
                say(
                    f"establishments, {blocked:.0%} blocked, {policy}: "
                    f"{median(played.seconds for played in results):.2f} s, "
                    f"{median(played.dials for played in results):.0f} dials"
                )
    return figures


def _tell_apart(results: Sequence[Played], which: str) -> None:
    """See that no two went about it in the same order."""
    orders = [played.order for played in results if len(played.order) == FIRST]
    if len(set(orders)) < len(orders):
        raise BenchError(f"{which}: servers were dialled in the same order twice")


def _figures(blocked: float, policy: str, results: Sequence[Played]) -> Iterable[Figure]:
    note = f"{len(results):,} of them, {KNOWN:,} servers"
    for what, unit, values in (
        ("time to tunnel", "s", [played.seconds for played in results]),
        ("dials", "", [float(played.dials) for played in results]),
    ):
        for name, value in (("p50", median(values)), ("p95", quantiles(values, n=20)[-1])):
            yield Figure(f"{blocked:.0%} blocked: {what}, {name}", policy, unit, (value,), note)
    most = max(played.most_at_once for played in results)
    yield Figure(f"{blocked:.0%} blocked: dials, most at once", policy, "", (float(most),), note)


@cache
def _servers() -> tuple[FixedServers, list[str]]:
    """Return the servers and their addresses, made once in each process."""
    capabilities = ["SSH", "OSSH", "ssh-api-requests"]
    entries = [ServerEntry.from_fields(fields) for fields in make_entries(KNOWN, capabilities=capabilities)]
    return FixedServers(entries), [entry.ip_address for entry in entries]


def _play(seeds: range, blocked: float, policy: str) -> list[Played]:
    """Play an establishment for each seed."""
    servers, addresses = _servers()
    choices, settings = DialSettings(), EstablishmentSettings(policy=POLICIES[policy])
    results = []
    for seed in seeds:
        rng = SeededRng(f"establishment {seed}")
        fates = mixed_fates(SeededRng(f"fates {seed}"), addresses, blocked=blocked)
        replay = Replay(MemoryRecords(), choices, rng, now=lambda: 0.0)
        scheduler = Scheduler(settings, Candidates(servers, choices, rng, replay), rng)
        outcome = play(scheduler, fates.__getitem__)
        if not outcome.connected or outcome.most_at_once > settings.workers:
            raise BenchError(f"establishment {seed}, {blocked:.0%} blocked, {policy}: {outcome.state.value}")
        order = tuple((attempt.host, attempt.protocol) for attempt in outcome.dialled[:FIRST])
        results.append(Played(outcome.seconds, len(outcome.dialled), outcome.most_at_once, order))
    return results
