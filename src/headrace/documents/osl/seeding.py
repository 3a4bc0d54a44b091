"""What a client has earned: its traffic of the period against the targets of each seed spec (spec §4.3).

    port forward ──► the progress it counts towards ──► targets reached: a SLOK, once in a period

A period that ends takes unfinished progress with it. Times are nanoseconds since 1970.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from headrace.documents.osl.config import OslConfig, Scheme, SeedSpec
from headrace.documents.osl.sloks import Slok, derive_slok, period_start
from headrace.documents.port_policy import Address

__all__ = ["MOST_PENDING", "Progress", "SeedState", "applicable"]

#: Most SLOKs that are kept for a client that does not take them; the oldest make room.
MOST_PENDING: Final = 1024


def applicable(config: OslConfig, channel: str, region: str, now: int) -> list[Scheme]:
    """Return the schemes for a client of this propagation channel and country ("" if nothing is known)."""
    return [
        scheme
        for scheme in config.schemes
        if scheme.start < now
        and channel in scheme.propagation_channel_ids
        and (not scheme.regions or region in scheme.regions)
    ]


class Progress:
    """How far a client has come towards one seed spec in the period under way."""

    __slots__ = ("_duration", "_earned", "_period", "_read", "_scheme", "_spec", "_written")

    def __init__(self, scheme: Scheme, spec: SeedSpec) -> None:
        self._scheme = scheme
        self._spec = spec
        self._period: int | None = None
        self._begin(None)

    def _begin(self, period: int | None) -> None:
        self._period = period
        self._read = self._written = self._duration = 0
        self._earned = False

    @property
    def untouched(self) -> bool:
        """Whether nothing has counted yet."""
        return self._period is None

    def counts(self, address: Address, asn: str) -> bool:
        """Whether traffic with `address`, of an autonomous system if one is known, is progress here."""
        return address in self._spec.networks or (bool(asn) and asn in self._spec.asns)

    def add(self, read: int, written: int, duration: int, now: int, channel: str) -> Slok | None:
        """Count traffic; return what it earned, which is something when the last target is reached."""
        period = period_start(now, self._scheme.seed_period_nanoseconds)
        if period != self._period:
            self._begin(period)
        self._read += read
        self._written += written
        self._duration += duration
        targets = self._spec.targets
        if (
            self._earned
            or self._read < targets.bytes_read
            or self._written < targets.bytes_written
            or self._duration < targets.port_forward_duration_nanoseconds
        ):
            return None
        self._earned = True
        return derive_slok(self._scheme.master_key, channel, self._spec.id, period)


class SeedState:
    """All of one client's progress, and the SLOKs it was not given yet. It outlives its tunnels."""

    __slots__ = ("_progress", "channel", "pending")

    def __init__(self, schemes: Iterable[Scheme], channel: str) -> None:
        self.channel = channel
        self._progress = [Progress(scheme, spec) for scheme in schemes for spec in scheme.seed_specs]
        self.pending: list[Slok] = []  #: earned, and not confirmed by the client

    def matching(self, address: Address, asn: str = "") -> list[Progress]:
        """Return what a port forward to `address` counts towards."""
        return [progress for progress in self._progress if progress.counts(address, asn)]

    def add(self, matching: Sequence[Progress], read: int, written: int, duration: int, now: int) -> None:
        """Count bytes down, bytes up and nanoseconds of a port forward that `matching` was returned for."""
        for progress in matching:
            slok = progress.add(read, written, duration, now, self.channel)
            if slok is not None:
                self.pending.append(slok)
        del self.pending[:-MOST_PENDING]

    @property
    def untouched(self) -> bool:
        """Whether nothing has counted yet, so that a new state would do as well."""
        return all(progress.untouched for progress in self._progress)

    def delivered(self, sloks: Sequence[Slok]) -> None:
        """The client has these."""
        had = frozenset(sloks)
        self.pending = [slok for slok in self.pending if slok not in had]
