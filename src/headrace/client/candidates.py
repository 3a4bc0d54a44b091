"""What to try in one round of establishing, in order; servers learned of meanwhile come first."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from headrace.base.errors import DocumentError
from headrace.base.rng import Rng
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import DialParameters, choose
from headrace.establishment.dial_settings import DialSettings
from headrace.obfuscation.preamble import MAX_PADDING, MIN_CLIENT_PADDING
from headrace.obfuscation.prefix import PrefixSpecs
from headrace.transports import TUNNEL_PROTOCOLS

__all__ = ["GLANCES", "Candidates"]

#: Where entries come from that many have. Servers few know of are kept from proxies, which may keep logs.
_SEEN_BY_PROXIES: Final = frozenset(("EMBEDDED", "REMOTE", "TARGET"))
#: Entries looked at before others have their turn on the loop; each takes some tens of microseconds.
GLANCES: Final = 50


class Candidates:
    """One attempt per entry that can be dialled; `skip` hears why one is left out.

    `arrived` is set when `add` was called, and when `take` gave up for now though there may be more. After
    `until` (loop time) the rest of the round is left untried. With `proxied` attempts go through an upstream
    proxy. The server at the address `favourite` gets a head start.
    """

    def __init__(
        self,
        entries: Iterable[ServerEntry],
        limit: Sequence[str],
        rng: Rng,
        skip: Callable[[str], None],
        *,
        prefixes: PrefixSpecs | None = None,
        padding: tuple[int, int] = (MIN_CLIENT_PADDING, MAX_PADDING),
        proxied: bool = False,
        until: float | None = None,
        favourite: str = "",
    ) -> None:
        self.arrived = asyncio.Event()
        self.taken = 0  #: attempts handed out
        self._round: Iterator[ServerEntry] = iter(entries)
        self._new: Iterator[ServerEntry] = iter(())
        self._limit = limit
        self._rng = rng
        self._skip = skip
        self._settings = DialSettings(prefixes=prefixes or PrefixSpecs(), padding=padding)
        self._proxied = proxied
        self._until = until
        self._favourite = favourite

    def add(self, entries: Iterable[ServerEntry]) -> None:
        """Have these tried next; they are loaded as their turn comes."""
        self._new = chain(self._new, entries)
        self.arrived.set()

    def take(self, *, newcomers: bool = False) -> DialParameters | None:
        """Return the next attempt, None if there is none for now; on request only at one that was added."""
        for _ in range(GLANCES):
            entry = next(self._new, None) if newcomers else self._next()
            if entry is None:
                return None
            if self._proxied and not (entry.allow_upstream_proxy or entry.local_source in _SEEN_BY_PROXIES):
                self._skip("the server must not become known to upstream proxies")
                continue
            protocols = entry.supported_protocols(self._limit, upstream_proxy=self._proxied)
            usable = [name for name in protocols if name in TUNNEL_PROTOCOLS]
            if not usable:
                self._skip("the server supports no tunnel protocol that is allowed and known here")
                continue
            protocol = self._rng.choice(usable)
            try:
                attempt = choose(
                    entry,
                    protocol,
                    self._rng,
                    self.taken + 1,
                    settings=self._settings,
                )
                attempt = replace(attempt, head_start=entry.ip_address == self._favourite)
            except DocumentError as error:
                self._skip(str(error))
                continue
            self.taken += 1
            return attempt
        self.arrived.set()
        return None

    def _next(self) -> ServerEntry | None:
        if (entry := next(self._new, None)) is not None:
            return entry
        if self._until is not None and asyncio.get_running_loop().time() > self._until:
            return None
        return next(self._round, None)
