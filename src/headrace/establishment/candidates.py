"""The attempts of an establishment, one after the other: which server next, over what, and how.

    newcomers ──► the round's order ──► may it be dialled? ──► over what? ──► as it worked, or chosen anew
     (`add`)       (`begin_round`)        no: the next one

Entries are loaded as their turn comes; nobody holds them all.
"""

import enum
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final, Protocol

from headrace.base.errors import DocumentError
from headrace.base.rng import Rng
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import DialParameters, choose
from headrace.establishment.dial_settings import DialSettings
from headrace.establishment.order import front
from headrace.establishment.replay import Replay

__all__ = ["GLANCES", "Candidates", "KnownServers", "Nothing"]

#: Entries looked at before others have their turn on the loop; each takes some tens of microseconds.
GLANCES: Final = 50


class KnownServers(Protocol):
    """The servers there are."""

    def entries(self, rng: Rng, front: Sequence[str] = (), region: str = "") -> Iterator[ServerEntry]:
        """Yield the entries in the region: those at the addresses in `front`, then the rest at random."""
        ...

    def pick(self, addresses: Sequence[str], region: str = "") -> Iterator[ServerEntry]:
        """Yield the entries at these addresses, as far as they are known and in the region."""
        ...

    def first(self, region: str = "") -> str:
        """Return the address of the server used last, empty if there is none."""
        ...


class Nothing(enum.Enum):
    """Why there is no attempt."""

    LATER = enum.auto()  #: many were looked at in vain: let others have their turn, then ask again
    NOBODY = enum.auto()  #: the round is over, or not begun


class Candidates:
    """Hands out attempts. `skip` hears why an entry is left out, if it is not for this moment only.

    The limit for the first attempts ends with their number, or when everybody whom it allows was handed out.
    """

    def __init__(
        self,
        servers: KnownServers,
        settings: DialSettings,
        rng: Rng,
        replay: Replay,
        *,
        skip: Callable[[str], None] = lambda reason: None,
        exclude_intensive: Callable[[], bool] = lambda: False,
    ) -> None:
        self.taken = 0  #: attempts handed out in all
        self.seen = 0  #: entries looked at in this round
        self.moved_to_front = 0  #: how many of the round's beginning are there for what is known of them
        self._servers = servers
        self._settings = settings
        self._rng = rng
        self._replay = replay
        self._skip = skip
        self._exclude_intensive = exclude_intensive
        self._initial = settings.initial_limit
        self._favourite = ""
        self._round: Iterator[ServerEntry] = iter(())
        self._new: deque[str] = deque()
        self._added: set[str] = set()  # addresses that came as newcomers, and need not come again
        # Whom only the limit for the first attempts leaves out, in order.
        self._passed_over: OrderedDict[str, None] = OrderedDict()

    def begin_round(self, first: bool, *, favourite: bool = True) -> None:
        """Begin anew with everybody; the `first` round begins with those who worked, the last used ahead.

        Without `favourite` that one is not treated better than others who worked.
        """
        region = self._settings.region
        self._favourite = self._servers.first(region) if first and favourite else ""
        ahead = front(self._favourite, self._replay.recent(), self._rng, self._settings, first_round=first)
        self._round = self._servers.entries(self._rng, ahead, region)
        self._added = set(self._new)
        self._passed_over.clear()
        self.seen, self.moved_to_front = 0, len(ahead)

    def add(self, addresses: Sequence[str]) -> None:
        """Have the servers at these addresses tried next, in no order that others share."""
        fresh = [address for address in dict.fromkeys(addresses) if address not in self._new]
        self._new.extend(self._rng.shuffled(fresh))
        self._added.update(fresh)
        for address in fresh:
            self._passed_over.pop(address, None)

    def take(self, busy: Collection[str] = (), *, newcomers: bool = False) -> DialParameters | Nothing:
        """Return the next attempt, or why there is none; on request only at a server that was added.

        Servers at `busy` addresses are left out.
        """
        for _ in range(GLANCES):
            entry = self._next(newcomers)
            if entry is None:
                return Nothing.NOBODY
            self.seen += 1
            if entry.ip_address in busy:
                continue
            try:
                attempt = self._attempt(entry)
            except DocumentError as error:
                self._skip(str(error))
                continue
            if attempt is not None:
                self.taken += 1
                return attempt
        return Nothing.LATER

    def _next(self, newcomers: bool) -> ServerEntry | None:
        """Return whom to look at next."""
        region = self._settings.region
        if self.taken >= self._settings.initial_limit_candidates:
            self._initial = False
        while self._new:
            if entry := next(self._servers.pick([self._new.popleft()], region), None):
                return entry
        if newcomers:
            return None
        if not self._initial and (entry := self._once_passed_over()) is not None:
            return entry
        for entry in self._round:
            if entry.ip_address not in self._added:
                return entry
        if self._initial and self._passed_over:
            self._initial = False
            return self._once_passed_over()
        return None

    def _once_passed_over(self) -> ServerEntry | None:
        while self._passed_over:
            address, _ = self._passed_over.popitem(last=False)
            if entry := next(self._servers.pick([address], self._settings.region), None):
                return entry
        return None

    def _attempt(self, entry: ServerEntry) -> DialParameters | None:
        """Return an attempt at this server; None if it is skipped. Raises DocumentError if it is unusable."""
        settings = self._settings
        if settings.hides_from_proxy(entry):
            self._skip("the server must not become known to upstream proxies")
            return None
        exclude = self._exclude_intensive()
        allowed = settings.protocols(entry, initial=self._initial, exclude_intensive=exclude)
        if not allowed:
            if self._initial and settings.protocols(entry):
                self._passed_over[entry.ip_address] = None
            else:
                self._skip("the server supports no tunnel protocol that is allowed and known here")
            return None
        number = self.taken + 1
        attempt = self._replay.choose(entry, allowed, number)
        if attempt is None:
            network_id = self._replay.network_id()
            protocol = self._rng.choice(allowed)  # evenly, so that each is tried in the end
            attempt = choose(entry, protocol, self._rng, number, settings=settings, network_id=network_id)
        if entry.ip_address == self._favourite:
            attempt = replace(attempt, head_start=True)
        return attempt
