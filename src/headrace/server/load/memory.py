"""Memory of this process: how much there is, how much may be, and handing back what is free.

A worker that nears its ceiling takes no new tunnels; one that passes it closes the tunnels that hold most
unread data, until it would be below again. What the allocator keeps for later counts as used, so it is asked
to hand it back first: a ceiling must not be passed because of a crowd that has gone.
"""

import ctypes
import sys
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from headrace.server.stats.process_figures import resident_bytes

__all__ = ["Memory", "hand_back", "hoarders"]

#: Parts of the ceiling at which no new tunnels are taken, and are again.
STOP: Final = 0.9
GO_ON: Final = 0.8
#: Who holds less is not closed for it: there would be little gained.
HOARD: Final = 256 * 1024

T = TypeVar("T")


def hand_back() -> None:
    """Have the C library return to the system what is free, where it can."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
        if trim is not None:
            trim(0)


class Memory:
    """The ceiling of this process, in bytes; 0 is none."""

    def __init__(
        self,
        ceiling: int,
        used: Callable[[], int] = resident_bytes,
        relieve: Callable[[], None] = hand_back,
    ) -> None:
        self.ceiling = ceiling
        self.short = False  #: no new tunnels, since the last `look`
        self._used = used
        self._relieve = relieve

    def look(self) -> int:
        """See how much is used; return by how many bytes that is too much."""
        if not self.ceiling:
            return 0
        used = self._used()
        if used > self.ceiling * (GO_ON if self.short else STOP):
            self._relieve()
            used = self._used()
        self.short = used > self.ceiling * (GO_ON if self.short else STOP)
        return max(0, used - self.ceiling)


def hoarders(held: Iterable[tuple[T, int]], excess: int) -> list[T]:
    """Return who must go so that `excess` bytes are free: those who hold most, as few as will do."""
    gone = []
    for who, size in sorted(held, key=lambda pair: pair[1], reverse=True):
        if excess <= 0 or size < HOARD:
            break
        gone.append(who)
        excess -= size
    return gone
