"""A censor who looks closer: suspicious servers are tried, and blocked if they give themselves away.

    probing = ActiveProbing(looks_fully_encrypted, payloads=replays, suspect=answers, delay=5.0)

The probes are sent by whoever drives the measure, on connections of its own. `results` has what came of them.
"""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Final

from headrace.base.rng import SeededRng
from headrace.testing.censorship import (
    DROPPED,
    Connection,
    Measure,
    Opening,
    Probe,
    Probed,
    Verdict,
    Watch,
    Way,
)
from headrace.testing.conditions import Blocklist

__all__ = ["RANDOM_SIZES", "ActiveProbing", "answers", "random_probes", "replays"]

#: Sizes of random probes: to either side of where servers may change their behaviour, and a long one, after
#: those in Alice et al., "How China Detects and Blocks Shadowsocks", IMC 2020.
RANDOM_SIZES: Final = (7, 8, 9, 11, 12, 13, 15, 16, 17, 21, 22, 23, 32, 33, 34, 40, 41, 48, 49, 221)


def replays(first: bytes, seed: str) -> list[bytes]:
    """Return one probe: what the client began with, again."""
    return [first]


def random_probes(first: bytes, seed: str) -> list[bytes]:
    """Return probes of random bytes, of many sizes."""
    rng = SeededRng(f"probes {seed}")
    return [rng.bytes(size) for size in RANDOM_SIZES]


def answers(result: Probed) -> bool:
    """Suspect whoever answers what no server should understand."""
    return bool(result.answer)


class ActiveProbing(Measure):
    """Probes where a connection with suspicious first bytes went; blocks it if a probe's result is `suspect`.

    Each address with its port is probed for `again` seconds by the one connection only. Blocked is what comes
    later, for `blocked_for` seconds.
    """

    def __init__(
        self,
        wanted: Callable[[bytes], bool] = bool,
        *,
        payloads: Callable[[bytes, str], Sequence[bytes]] = replays,
        suspect: Callable[[Probed], bool] = answers,
        delay: float = 0.0,
        patience: float = 10.0,
        again: float = math.inf,
        blocked_for: float = math.inf,
        how: Opening = DROPPED,
    ) -> None:
        self.wanted = wanted
        self.results: Final[list[tuple[Probe, Probed]]] = []
        self.blocked: Final = Blocklist()
        self.how = how
        self._payloads = payloads
        self._suspect = suspect
        self._delay = delay
        self._patience = patience
        self._again = again
        self._blocked_for = blocked_for
        self._tried = Blocklist()

    def watch(self, connection: Connection) -> Watch:
        return _Suspecting(self, connection)

    def probes(self, connection: Connection, first: bytes, now: float) -> Collection[Probe]:
        """Return what is to be tried where this connection goes, which began so."""
        if self._tried.has(connection, now):
            return ()
        self._tried.add(connection, now + self._again)
        return [
            Probe(self, connection, payload, self._delay, self._patience)
            for payload in self._payloads(first, connection.seed)
        ]

    def probed(self, probe: Probe, result: Probed, now: float) -> None:
        self.results.append((probe, result))
        if self._suspect(result):
            self.blocked.add(probe.connection, now + self._blocked_for)


class _Suspecting(Watch):
    def __init__(self, measure: ActiveProbing, connection: Connection) -> None:
        self._measure = measure
        self._connection = connection
        self._seen = False

    def opening(self, now: float) -> Opening:
        blocked = self._measure.blocked.has(self._connection, now)
        return self._measure.how if blocked else super().opening(now)

    def sees(self, way: Way, data: bytes, now: float) -> Verdict:
        if way is Way.DOWN or self._seen:
            return Verdict(data)
        self._seen = True
        if not self._measure.wanted(data):
            return Verdict(data)
        return Verdict(data, probes=[*self._measure.probes(self._connection, data, now)])
