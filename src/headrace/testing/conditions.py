"""When and to whom a censor's measures apply. Conditions are measures around others, and nest.

Only(Block(), hosts=["127.64.0.0/24"], ports=[22])      some addresses, some ports
Between(Rule(rate=1000), 60.0, 120.0)                   for a time
Chance(Rule(RESET, down=0), 0.3, seed=7)                some connections
Residual(FirstBytes(looks_so, STALL), seconds=180.0)    and whoever was hit stays blocked for a while
"""

import ipaddress
import math
from collections.abc import Collection, Mapping
from typing import Final

from headrace.base.rng import SeededRng
from headrace.testing.censorship import DROPPED, Connection, Ending, Measure, Opening, Verdict, Watch, Way
from headrace.testing.first_packets import looks_fully_encrypted
from headrace.testing.measures import FirstBytes

__all__ = ["Between", "Blocklist", "Chance", "Only", "Residual", "fully_encrypted_blocking"]


class Only(Measure):
    """Applies to connections to these hosts (addresses, networks or names) and ports. None is any."""

    def __init__(
        self, measure: Measure, *, hosts: Collection[str] | None = None, ports: Collection[int] | None = None
    ) -> None:
        self._measure = measure
        self._names = None if hosts is None else set(hosts)
        self._networks = [network for host in hosts or () if (network := _network(host)) is not None]
        self._ports = ports

    def watch(self, connection: Connection) -> Watch:
        here = self._has(connection.host) and (self._ports is None or connection.port in self._ports)
        return self._measure.watch(connection) if here else Watch()

    def _has(self, host: str) -> bool:
        if self._names is None or host in self._names:
            return True
        address = _network(host)
        return address is not None and any(
            address.version == network.version and address.network_address in network
            for network in self._networks
        )


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:  # a name
        return None


class Chance(Measure):
    """Applies to each connection with this probability."""

    def __init__(self, measure: Measure, probability: float, *, seed: int = 0) -> None:
        self._measure = measure
        self._probability = probability
        self._seed = seed

    def watch(self, connection: Connection) -> Watch:
        hit = SeededRng(f"chance {self._seed} {connection.seed}").chance(self._probability)
        return self._measure.watch(connection) if hit else Watch()


class _Around(Watch):
    """Does as another watch does."""

    def __init__(self, inner: Watch) -> None:
        self._inner = inner
        self.piece, self.lag = inner.piece, inner.lag

    @property
    def wake(self) -> float | None:
        return self._inner.wake

    def opening(self, now: float) -> Opening:
        return self._inner.opening(now)

    def sees(self, way: Way, data: bytes, now: float) -> Verdict:
        return self._inner.sees(way, data, now)

    def pause(self, way: Way, size: int) -> float:
        return self._inner.pause(way, size)

    def tick(self, now: float) -> Ending | None:
        return self._inner.tick(now)


class Between(Measure):
    """In force from `begin` until `end`, also on connections from before.

    Such a connection is shown to the measure from `begin` on, and counted from there. A measure that is about
    openings does nothing to it: `Raid` ends what is there.
    """

    def __init__(self, measure: Measure, begin: float, end: float = math.inf) -> None:
        self._measure = measure
        self._begin, self._end = begin, end

    def watch(self, connection: Connection) -> Watch:
        if connection.time >= self._end:
            return Watch()
        return _Scheduled(self._measure.watch(connection), self._begin, self._end)


class _Scheduled(_Around):
    def __init__(self, inner: Watch, begin: float, end: float) -> None:
        super().__init__(inner)
        self._begin, self._end = begin, end
        self._now = 0.0

    def _in_force(self, now: float) -> bool:
        return self._begin <= now < self._end

    @property
    def wake(self) -> float | None:
        wake = self._inner.wake
        if wake is None or max(wake, self._begin) >= self._end:
            return None
        return max(wake, self._begin)

    def opening(self, now: float) -> Opening:
        return super().opening(now) if self._in_force(now) else Opening()

    def sees(self, way: Way, data: bytes, now: float) -> Verdict:
        self._now = now  # pauses follow what was seen
        return super().sees(way, data, now) if self._in_force(now) else Verdict(data)

    def pause(self, way: Way, size: int) -> float:
        return super().pause(way, size) if self._in_force(self._now) else 0.0

    def tick(self, now: float) -> Ending | None:
        return super().tick(now) if self._in_force(now) else None


class Blocklist:
    """Addresses with ports, each blocked until some time."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, int], float] = {}

    def add(self, connection: Connection, until: float) -> None:
        """Block where that connection went."""
        place = connection.host, connection.port
        self._until[place] = max(until, self._until.get(place, -math.inf))

    def has(self, connection: Connection, now: float) -> bool:
        """Say whether where it goes is blocked."""
        return self._until.get((connection.host, connection.port), -math.inf) > now

    @property
    def places(self) -> Mapping[tuple[str, int], float]:
        """Everything that was ever added, and until when."""
        return self._until


class Residual(Measure):
    """Once a measure has struck, new connections to that address and port are blocked for some `seconds`."""

    def __init__(self, measure: Measure, seconds: float, how: Opening = DROPPED) -> None:
        self.seconds = seconds
        self.how = how
        self.blocked: Final = Blocklist()
        self._measure = measure

    def watch(self, connection: Connection) -> Watch:
        return _Remembered(self, connection, self._measure.watch(connection))


class _Remembered(_Around):
    def __init__(self, measure: Residual, connection: Connection, inner: Watch) -> None:
        super().__init__(inner)
        self._measure = measure
        self._connection = connection

    def opening(self, now: float) -> Opening:
        if self._measure.blocked.has(self._connection, now):
            return self._measure.how
        opening = super().opening(now)
        self._note(opening.ending, now)
        return opening

    def sees(self, way: Way, data: bytes, now: float) -> Verdict:
        verdict = super().sees(way, data, now)
        self._note(verdict.ending, now)
        return verdict

    def tick(self, now: float) -> Ending | None:
        ending = super().tick(now)
        self._note(ending, now)
        return ending

    def _note(self, ending: Ending | None, now: float) -> None:
        if ending is not None:
            self._measure.blocked.add(self._connection, now + self._measure.seconds)


def fully_encrypted_blocking(
    *, probability: float = 0.263, seconds: float = 180.0, seed: int = 0
) -> Residual:
    """Return what was seen to be done to connections that begin with random-looking bytes.

    About a quarter of them is hit; then the address and port are unreachable for three minutes (Wu et al.,
    USENIX Security 2023; `first_packets` has the rule).
    """
    return Residual(Chance(FirstBytes(looks_fully_encrypted), probability, seed=seed), seconds)
