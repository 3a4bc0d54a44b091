"""Logging in to an HTTP proxy: which of the ways it offers is taken.

The strongest way comes first. One that turns out to be impossible, because of what the proxy says or what is
missing here, makes room for the next; one that the proxy refuses does not, for a wrong password stays wrong,
and tries are counted. Source for the order: client spec §3.
"""

from collections.abc import Sequence
from typing import Final

from headrace.base.rng import Rng
from headrace.codec.digest import Digest
from headrace.codec.http_challenges import Challenge
from headrace.codec.http_login_way import Basic, Identity, Impossible, Way
from headrace.codec.negotiation import LOGIN_WANTED, WRONG_LOGIN, Refused
from headrace.codec.ntlm import Ntlm

__all__ = ["HttpLogin"]

#: By the name in Proxy-Authenticate, the preferred one first.
_WAYS: Final[dict[str, type[Way]]] = {"ntlm": Ntlm, "digest": Digest, "basic": Basic}

_NO_WAY: Final = Refused(
    "the upstream proxy offers no way to log in by a user name and password that works here: "
    "ask its operator for NTLM, Digest or Basic"
)


class HttpLogin:
    """Logs in as `identity`, over as many requests and connections as it takes."""

    def __init__(self, identity: Identity, rng: Rng) -> None:
        self._identity = identity
        self._rng = rng
        self._left = dict(_WAYS)
        self._offers: dict[str, list[Challenge]] = {}
        self._scheme = ""
        self._way: Way | None = None

    def challenged(self, challenges: Sequence[Challenge], closing: bool) -> Refused | None:
        """Take the challenges of a 407. Returns what is wrong, or None: ask again."""
        if not self._identity.user:
            return LOGIN_WANTED
        offers: dict[str, list[Challenge]] = {}
        for challenge in challenges:
            offers.setdefault(challenge.scheme, []).append(challenge)
        self._offers |= offers
        try:
            if self._way is not None:
                going_on = self._way.challenged(offers.get(self._scheme, []), closing)
                return None if going_on else WRONG_LOGIN
        except Impossible:
            self._way = None
        return None if self._choose(closing) else _NO_WAY

    def _choose(self, closing: bool) -> bool:
        """Begin with the best way that is left."""
        while self._left:
            scheme = next(iter(self._left))
            make = self._left.pop(scheme)
            if scheme not in self._offers:
                continue
            try:
                way = make(self._identity, self._rng)
                way.challenged(self._offers[scheme], closing)
            except Impossible:
                continue
            self._scheme, self._way = scheme, way
            return True
        return False

    def authorization(self, target: str) -> str:
        """Return the Proxy-Authorization of the next request; none is needed until a 407 came."""
        return self._way.authorization(target) if self._way is not None else ""

    def reconnected(self) -> None:
        """The next request is the first on another connection."""
        if self._way is not None:
            self._way.reconnected()
