"""The rule by which a replayed preamble is known: a seed is accepted once (tunnel spec §2).

A seed is remembered for 30 days, and one million of them at most; the least recently seen go first. The rule
is strict: a repeated seed is refused whoever sends it, and the attempt renews the memory of it. Nothing but
the seed is kept, so no address can leak from here.

Deployed servers remember for one day. There is no time in the preamble, so a replay is accepted that comes
later than memory reaches. Replays have been seen weeks after the original (Alice et al., "How China Detects
and Blocks Shadowsocks", IMC 2020), and a longer memory costs no honest client anything.

`SeedMemory` is the rule in one process's memory. `headrace.store.seed_history` keeps the same rule on disk,
for all workers of a server and across restarts, and is tested against this one.
"""

from collections import OrderedDict

__all__ = ["SEED_CAPACITY", "SEED_LIFETIME", "SeedMemory"]

SEED_LIFETIME = 30 * 24 * 60 * 60  # seconds
SEED_CAPACITY = 1_000_000


class SeedMemory:
    """The seeds seen lately, in the order they were last seen."""

    def __init__(self, *, capacity: int = SEED_CAPACITY, lifetime: float = SEED_LIFETIME) -> None:
        self._capacity = capacity
        self._lifetime = lifetime
        self._last_seen: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._last_seen)

    def seen(self, seed: bytes, now: float) -> bool:
        """Say whether `seed` came before, and remember it as of `now` (seconds, never decreasing)."""
        while self._last_seen and next(iter(self._last_seen.values())) <= now - self._lifetime:
            self._last_seen.popitem(last=False)
        known = seed in self._last_seen
        self._last_seen[seed] = now
        self._last_seen.move_to_end(seed)
        if len(self._last_seen) > self._capacity:
            self._last_seen.popitem(last=False)
        return known
