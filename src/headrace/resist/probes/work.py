"""What a stranger costs a server, beside what a client does; and whether a stranger ever passes for one.

A client's magic is 32 bits wide in the deployed format: one random probe in 4,294,967,296 has it. What is
counted here are those among far fewer.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from headrace.base.rng import Rng
from headrace.obfuscation.default_prefix import default_server_prefixes
from headrace.obfuscation.seed_history import SeedMemory
from headrace.obfuscation.server import Accepted, ServerObfuscator
from headrace.resist.probes.kinds import Material, probes_of
from headrace.resist.probes.recording import Client

__all__ = ["Work", "forgeries", "genuine", "work"]


@dataclass(frozen=True, slots=True)
class Work:
    """Seconds of CPU for what one connection begins with: a client's, and each class of probes', sorted.

    `accepted` is how many of the clients were, `mistaken` how many probes.
    """

    client: Sequence[float]
    probes: Mapping[str, Sequence[float]]
    accepted: int
    mistaken: int

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
    """Return how many of so many random probes have the right magic; half are searched for a terminator."""
    keyword = rng.bytes(32).hex().encode()
    return _known(keyword, (rng.bytes(24 if number % 2 else 200) for number in range(count)), rng)


def genuine(count: int, rng: Rng) -> int:
    """Return how many of so many clients have the right magic, every other behind a prefix."""
    client = Client(rng.bytes(32).hex().encode())
    fresh = (client.record(rng, prefixed=bool(number % 2)) for number in range(count))
    return _known(client.keyword, (recording.data for recording in fresh), rng)


def _known(keyword: bytes, probes: Iterable[bytes], rng: Rng) -> int:
    server = _Server()
    for data in probes:
        server.accepts(keyword, data, rng)
    return server.asked


def work(count: int, rng: Rng) -> Work:
    """Measure `count` clients, and as many probes of each class that is refused by what it sends."""
    client, server = Client(rng.bytes(32).hex().encode()), _Server()
    fresh = [client.record(rng, prefixed=bool(number % 2)) for number in range(count)]

    def spent(probes: Iterable[bytes]) -> tuple[list[float], int]:
        times, accepted = [], 0
        for data in probes:
            begun = time.process_time()
            accepted += server.accepts(client.keyword, data, rng)
            times.append(time.process_time() - begun)
        return sorted(times), accepted

    clients, accepted = spent(recording.data for recording in fresh)
    material = Material(client, Client(rng.bytes(32).hex().encode()), fresh, 0.0)
    found, mistaken = {}, 0
    for kind in ("P1", "P2", "P3", "P5", "P6"):
        probes = probes_of(kind, material, rng, count)
        found[kind], taken = spent(b"".join(probe.pieces) for probe in probes)
        mistaken += taken
    return Work(clients, found, accepted, mistaken)


class _Server:
    def __init__(self) -> None:
        self.asked = 0  #: how often the history was: only what has the right magic comes that far
        self._seeds = SeedMemory()
        self._prefixes = default_server_prefixes()

    def accepts(self, keyword: bytes, data: bytes, rng: Rng) -> bool:
        obfuscator = ServerObfuscator(keyword, rng, self._seen, self._prefixes)
        return isinstance(obfuscator.receive(data), Accepted)

    def _seen(self, seed: bytes) -> bool:
        self.asked += 1
        return self._seeds.seen(seed, 0.0)
