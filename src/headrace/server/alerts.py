"""Alerts: what a client's user should know about destinations that were refused (tunnel spec §5).

    a traffic rule, a block list ──► psiphon-alert, with pages that say more ──► a notice

Each alert is sent once in a tunnel, and only to clients that announced that they take requests. Which
destination it was is not told: the client asked for it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

__all__ = ["DISALLOWED", "MOST", "UNSAFE", "Alerts"]

DISALLOWED: Final = "disallowed-traffic"
UNSAFE: Final = "unsafe-traffic"
#: Alerts of one tunnel; nobody reads more.
MOST: Final = 16

Request = Callable[[bytes, bytes, Callable[[bytes | None], None]], None]


class Alerts:
    """Of one tunnel. `request` sends a global request, `urls` knows the pages about a reason."""

    def __init__(self, request: Request, urls: Callable[[str], Sequence[str]], counts: Counter[str]) -> None:
        self._request = request
        self._urls = urls
        self._counts = counts
        self._sent: set[bytes] = set()

    def disallowed(self) -> None:
        """The traffic rules kept the client from a destination."""
        self._send(DISALLOWED)

    def unsafe(self, subjects: Iterable[str]) -> None:
        """A block list did, because of these."""
        for subject in subjects:
            self._send(UNSAFE, subject)

    def _send(self, reason: str, subject: str = "") -> None:
        said = {"reason": reason, "subject": subject, "action": list(self._urls(reason))}
        alert = msgspec.json.encode({name: value for name, value in said.items() if value})
        if alert not in self._sent and len(self._sent) < MOST:
            self._sent.add(alert)
            self._counts[f"alert.{reason}"] += 1
            self._request(b"psiphon-alert", alert, _ignore)


def _ignore(reply: bytes | None) -> None:
    """Whether the client showed it is its own affair."""
