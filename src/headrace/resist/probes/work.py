"""What a stranger costs a server, beside what a client does; and whether a stranger ever passes for one.

A client's magic is 32 bits wide in the deployed format: one random probe in 4,294,967,296 is accepted. What
is counted here are accepts among far fewer.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from headrace.base.rng import Rng
from headrace.obfuscation.default_prefix import default_server_prefixes
from headrace.obfuscation.seed_history import SeedMemory
from headrace.obfuscation.server import Accepted, ServerObfuscator
from headrace.resist.probes.kinds import Material, probes_of
from headrace.resist.probes.recording import Client

__all__ = ["Work", "forgeries", "work"]


@dataclass(frozen=True, slots=True)
class Work:
    """Seconds of CPU for what one connection begins with: a client's, and each class of probes', sorted."""

    client: Sequence[float]
    probes: Mapping[str, Sequence[float]]

    @property
    def accept(self) -> float:
        """The mean of a client's."""
        return fmean(self.client)

    @property
    def ratio(self) -> float:
        """The mean of the dearest class, as a multiple of a client's."""
        return max(map(fmean, self.probes.values())) / self.accept

    @property
    def spread(self) -> float:
        """By how much the 99th percentiles of the classes differ at most."""
        late = [times[int(0.99 * len(times))] for times in self.probes.values()]
        return max(late) - min(late)


def forgeries(count: int, rng: Rng) -> int:
    """Return how many of so many random probes are accepted; half of them are searched for a terminator."""
    keyword, server = rng.bytes(32).hex().encode(), _Server()
    return sum(server.accepts(keyword, rng.bytes(24 if number % 2 else 200), rng) for number in range(count))


def work(count: int, rng: Rng) -> Work:
    """Measure `count` clients, and as many probes of each class that is refused by what it sends."""
    client, server = Client(rng.bytes(32).hex().encode()), _Server()
    fresh = [client.record(rng, prefixed=bool(number % 2)) for number in range(count)]

    def spent(data: bytes) -> float:
        begun = time.process_time()
        server.accepts(client.keyword, data, rng)
        return time.process_time() - begun

    accepted = sorted(spent(recording.data) for recording in fresh)
    material = Material(client, Client(rng.bytes(32).hex().encode()), fresh, 0.0)
    kinds = ("P1", "P2", "P3", "P5", "P6")
    probes = {kind: probes_of(kind, material, rng, count) for kind in kinds}
    return Work(
        accepted, {kind: sorted(spent(b"".join(probe.pieces)) for probe in probes[kind]) for kind in kinds}
    )


class _Server:
    def __init__(self) -> None:
        self._seeds = SeedMemory()
        self._prefixes = default_server_prefixes()

    def accepts(self, keyword: bytes, data: bytes, rng: Rng) -> bool:
        obfuscator = ServerObfuscator(keyword, rng, self._seen, self._prefixes)
        return isinstance(obfuscator.receive(data), Accepted)

    def _seen(self, seed: bytes) -> bool:
        return self._seeds.seen(seed, 0.0)
