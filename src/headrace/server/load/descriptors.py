"""File descriptors: as many as the system allows, and a share that new tunnels do not get.

Every connection takes one, so a server that took tunnels to the last descriptor could open no port forward
for any of them. A quarter stays with those who are in.
"""

import os

from headrace.server.stats.process_figures import open_files

__all__ = ["Descriptors", "raise_limit"]


def raise_limit() -> None:
    """Let this process have as many descriptors as it may."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _limit() -> int:
    import resource  # not everywhere where this module is imported

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 20


class Descriptors:
    """The budget of this process, out of the `limit` that the system sets."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit if limit is not None else _limit()
        self.budget = self.limit - self.limit // 4  #: beyond it nobody new comes in

    def spent(self) -> bool:
        """Whether the budget is used up: the system gives out the lowest number that is free."""
        try:
            number = os.open(os.devnull, os.O_RDONLY)
        except OSError:
            return True
        os.close(number)
        return number >= self.budget

    def relieved(self) -> bool:
        """Whether a good part of the budget is free again. Dear: to be asked now and then only."""
        return open_files() < self.budget * 0.9 and not self.spent()
