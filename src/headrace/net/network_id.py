"""What tells one network from another: `WIFI-5f1e…`, `WIRED-…`, `UNKNOWN` and the like (client spec §1.11).

What follows the type is a hash, with a salt that never leaves this machine, of the router's hardware address:
it says whether two networks are the same and nothing else. Only the type is ever told to anybody.
"""

import hashlib
import hmac
from pathlib import Path
from typing import Final, Protocol

from headrace.base.clock import Clock
from headrace.base.redact import REDACTED
from headrace.base.rng import Rng
from headrace.net.default_route import DefaultRoute, default_route, interface_type

__all__ = ["TYPES", "NetworkIdentity", "network_id", "network_salt", "type_of"]

TYPES: Final = ("WIFI", "MOBILE", "WIRED", "VPN", "UNKNOWN")
#: Seconds for which what was found is taken for what is.
CACHE: Final = 0.5
_DIGITS: Final = 16
_SALT: Final = "networkIdSalt"
_SALT_SIZE: Final = 32


class Values(Protocol):
    """Texts by key; those that are not there are empty."""

    def get(self, key: str) -> str: ...

    def set(self, key: str, text: str) -> None: ...


def network_salt(values: Values, rng: Rng) -> bytes:
    """Return the salt that is kept among `values`, drawn at first use."""
    try:
        salt = bytes.fromhex(values.get(_SALT))
    except ValueError:
        salt = b""
    if len(salt) != _SALT_SIZE:
        salt = rng.bytes(_SALT_SIZE)
        values.set(_SALT, salt.hex())
    return salt


def network_id(route: DefaultRoute | None, salt: bytes, root: Path = Path("/")) -> str:
    """Return the ID of the network that a default route leads to."""
    if route is None:
        return "UNKNOWN"
    router = route.hardware or route.gateway or route.interface
    digest = hmac.digest(salt, router.lower().encode(), hashlib.sha256).hex()
    return f"{interface_type(route.interface, root)}-{digest[:_DIGITS]}"


def type_of(identity: str) -> str:
    """Return what may be told of an ID: the type of the network."""
    kind = identity.partition("-")[0]
    return kind if kind in TYPES else "UNKNOWN"


class NetworkIdentity:
    """The ID of the network that we are on at the moment; a `configured` one is taken for granted.

    A router whose hardware address the system has forgotten for the time being is still the same router.
    """

    def __init__(self, configured: str, salt: bytes, clock: Clock, root: Path = Path("/")) -> None:
        self._configured = configured
        self._salt = salt
        self._clock = clock
        self._root = root
        self._found = ""
        self._until = 0.0  # on the clock of intervals; what was found by then is taken for what is
        self._known: DefaultRoute | None = None  # the last route whose router had a hardware address

    def __call__(self) -> str:
        """Return the ID."""
        if self._configured:
            return self._configured
        now = self._clock.monotonic()
        if not self._found or now >= self._until:
            self._found = network_id(self._route(), self._salt, self._root)
            self._until = now + CACHE
        return self._found

    @property
    def type(self) -> str:
        """The type alone, which may be told to servers."""
        return type_of(self())

    @property
    def shown(self) -> str:
        """What may be shown and logged: the type, and whether there is more."""
        return self.type if self() in TYPES else f"{self.type}+{REDACTED}"

    def flush(self) -> None:
        """Look again the next time: the network may be another."""
        self._found, self._known = "", None

    def _route(self) -> DefaultRoute | None:
        route, known = default_route(self._root), self._known
        if route is None:
            return None
        if route.hardware:
            self._known = route
        elif known is not None and (known.interface, known.gateway) == (route.interface, route.gateway):
            return known
        return route
