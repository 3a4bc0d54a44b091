"""What has to be published, and why: the network as it is in a view against the ledger.

A plan can be made of a change that is not committed, too: then it tells what the change will cost. Nothing is
rendered for it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from headrace.network.publish.contents import Content, Key, differences
from headrace.network.publish.kinds import KINDS, Kind
from headrace.network.publish.ledger import Entry

__all__ = ["Item", "Plan", "make_plan"]

NEVER: Final = "it was never published"
GONE: Final = "it is no more"
UNFINISHED: Final = "its last publication did not come to an end"


@dataclass(frozen=True, slots=True)
class Item:
    """Something to be published, or with no content, to be taken away."""

    id: Key
    content: Content | None
    entry: Entry | None  #: of the ledger; None: nothing is there yet
    changed: frozenset[str] = frozenset()  #: names of parts
    reasons: tuple[str, ...] = ()  #: for people
    is_lost: bool = False  #: the place is no more, and what was there with it

    @property
    def is_removal(self) -> bool:
        """True when what is there has to go."""
        return self.content is None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that has to be published, in order."""

    items: tuple[Item, ...]
    current: int  #: contents that are as they ought to be

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def by_kind(self) -> dict[Kind, list[Item]]:
        """Return the items by kind, kinds in the order of publication."""
        found: dict[Kind, list[Item]] = {}
        for item in self.items:
            found.setdefault(item.id.kind, []).append(item)
        return found

    def only(self, kinds: Collection[Kind]) -> "Plan":
        """Return the part of the plan that is of these kinds."""
        return Plan(tuple(item for item in self.items if item.id.kind in kinds), self.current)

    def first(self, kinds: Collection[Kind]) -> "Plan":
        """Return the same plan with these kinds before all others."""
        return Plan(tuple(sorted(self.items, key=lambda item: item.id.kind not in kinds)), self.current)


def make_plan(
    contents: Iterable[Content],
    ledger: Mapping[Key, Entry],
    kinds: Collection[Kind] = frozenset(Kind),
    lost: Collection[str] = (),
) -> Plan:
    """Return what of `contents`, all there ought to be of these `kinds`, is not as the ledger has it.

    What the ledger has besides is to be taken away, but from places that are `lost`: those are forgotten.
    """
    items: list[Item] = []
    seen: set[Key] = set()
    current = 0
    explained: dict[tuple[str, str], tuple[frozenset[str], tuple[str, ...]]] = {}
    for content in contents:
        seen.add(content.id)
        entry = ledger.get(content.id)
        if entry is not None and entry.finished and entry.applied == content.parts.digest:
            current += 1
            continue
        if entry is None or not entry.applied:
            items.append(Item(content.id, content, entry, frozenset(content.parts.versions), (NEVER,)))
            continue
        # Thousands of hosts have the same reasons.
        both = entry.applied, content.parts.digest
        if both not in explained:
            found = dict(differences(entry.parts, content.parts.versions))
            explained[both] = frozenset(found), tuple(found.values()) or (UNFINISHED,)
        items.append(Item(content.id, content, entry, *explained[both]))
    items += [
        Item(identity, None, entry, reasons=(GONE,), is_lost=identity.place in lost)
        for identity, entry in ledger.items()
        if identity not in seen and identity.kind in kinds
    ]
    order = {kind: place for place, kind in enumerate(Kind)}
    items.sort(key=lambda item: (KINDS[item.id.kind].step, order[item.id.kind], item.is_removal))
    return Plan(tuple(items), current)
