"""What is not published as it ought to be, why, and what must not stay so.

Servers stop to believe psinet data after two days, and then tell no client which servers are gone: an alert
is raised after one.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from headrace.network.publish.contents import Key
from headrace.network.publish.kinds import Kind
from headrace.network.publish.ledger import Entry
from headrace.network.publish.plan import Item, Plan

__all__ = ["OLD_PSINET", "Stale", "Status", "publication_status"]

#: From which age on a host's psinet data is a reason for an alert.
OLD_PSINET: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Stale:
    """Something that is not as it ought to be."""

    id: Key
    reasons: tuple[str, ...]
    since: datetime | None  #: when it was last published, None if never
    attempts: int  #: that failed since
    error: str  #: of the last one
    next_attempt: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """How what is published compares to the network."""

    current: int  #: contents that are as they ought to be
    stale: tuple[Stale, ...]
    psinet_ages: Mapping[str, timedelta | None]  #: by host; None: it has none

    @property
    def failing(self) -> tuple[Stale, ...]:
        """What was tried, and failed."""
        return tuple(each for each in self.stale if each.error)

    @property
    def old_psinet(self) -> tuple[str, ...]:
        """The hosts whose psinet data is too old, or missing, by name."""
        return tuple(
            sorted(host for host, age in self.psinet_ages.items() if age is None or age > OLD_PSINET)
        )

    @property
    def alerts(self) -> tuple[str, ...]:
        """What people have to see to."""
        found = []
        if old := self.old_psinet:
            found.append(
                f"psinet data is missing or older than a day on {_few(old)}: publish, or see why it fails"
            )
        if failing := self.failing:
            first = failing[0]
            found.append(f"{len(failing):,} publications fail; the first: {first.id.key}: {first.error}")
        return tuple(found)


def publication_status(
    plan: Plan, ledger: Mapping[Key, Entry], hosts: Collection[str], now: datetime
) -> Status:
    """Return the status by a plan and the ledger it was made of; `hosts` are those that need psinet data."""
    written = {entry.id.key: entry.applied_at for entry in ledger.values() if entry.id.kind == Kind.PSINET}
    ages = {host: None if (at := written.get(host)) is None else now - at for host in hosts}
    return Status(plan.current, tuple(map(_stale, plan)), ages)


def _stale(item: Item) -> Stale:
    entry = item.entry or Entry(item.id)
    return Stale(item.id, item.reasons, entry.applied_at, entry.attempts, entry.error, entry.next_attempt)


def _few(names: Iterable[str], most: int = 5) -> str:
    shown = list(names)
    rest = f" and {len(shown) - most:,} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + rest
