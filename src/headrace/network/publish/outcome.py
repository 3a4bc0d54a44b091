"""How a publication went."""

from dataclasses import dataclass, field

from headrace.network.publish.contents import Key

__all__ = ["Failure", "Outcome"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that could not be published, and why."""

    id: Key
    error: str


@dataclass(slots=True)
class Outcome:
    """Counts of contents, and what did not go well."""

    published: int = 0
    unchanged: int = 0  #: made anew, and the same as before
    removed: int = 0
    objects: int = 0  #: that were put
    bytes: int = 0  #: of these
    failed: list[Failure] = field(default_factory=list)
    waiting: list[Failure] = field(default_factory=list)  #: for something else that has to be there before
    postponed: int = 0  #: failed lately, and not tried again yet
    without_place: int = 0  #: nothing is set where they could go

    @property
    def complete(self) -> bool:
        """True when all is as it ought to be, as far as there are places for it."""
        return not (self.failed or self.waiting or self.postponed)
