"""What a way to log in to an HTTP proxy is, and Basic, the plainest one (RFC 7617).

407 ──► challenged() ──► authorization() ──► the next request ──► 407 ──► challenged() ...
"""

import base64
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace.base.rng import Rng
from headrace.codec.http_challenges import Challenge

__all__ = ["Basic", "Identity", "Impossible", "Way"]


class Impossible(Exception):
    """A way to log in cannot be gone; never seen outside of `HttpLogin`."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who logs in, and at which proxy (its host name or address). Its repr shows nothing."""

    user: str = field(repr=False)
    password: str = field(repr=False)
    proxy: str = field(repr=False)


class Way(ABC):
    """A way to log in, for one destination."""

    @abstractmethod
    def __init__(self, identity: Identity, rng: Rng) -> None: ...

    @abstractmethod
    def challenged(self, offers: Sequence[Challenge], closing: bool) -> bool:
        """Take the challenges of this way from a 407, after which the proxy is `closing` the connection.

        False means that it refuses what was said. Raises Impossible.
        """

    @abstractmethod
    def authorization(self, target: str) -> str:
        """Return the Proxy-Authorization of the next CONNECT to `target`."""

    def reconnected(self) -> None:  # noqa: B027 - most ways do not care
        """The next request is the first on another connection."""


class Basic(Way):
    """User name and password as they are: said once."""

    def __init__(self, identity: Identity, rng: Rng) -> None:
        self._token = base64.b64encode(f"{identity.user}:{identity.password}".encode()).decode()
        self._said = False

    def challenged(self, offers: Sequence[Challenge], closing: bool) -> bool:
        return not self._said

    def authorization(self, target: str) -> str:
        self._said = True
        return f"Basic {self._token}"
