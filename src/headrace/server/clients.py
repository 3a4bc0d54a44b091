"""The clients of a worker, known by the random IDs of their sessions: who is here, and who was lately.

A client keeps its session ID while it connects again. Its newest tunnel is the one that counts: one it had
before hangs in the air, and is closed.
"""

import asyncio
from typing import Final, Protocol

__all__ = ["KNOWN", "Clients"]

#: Seconds for which a session is known after its tunnel has ended.
KNOWN: Final = 3600.0
#: Most sessions that are known though they have no tunnel; those gone longest make room.
_MOST: Final = 100_000


class Tunnel(Protocol):
    """What a client has."""

    def superseded(self) -> None:
        """The client has another."""
        ...


class Clients:
    """Who has which tunnel. Clients without a session ID are nobody: each of their tunnels is the first."""

    def __init__(self) -> None:
        self._tunnels: dict[str, Tunnel] = {}
        self._gone: dict[str, float] = {}  # sessions without a tunnel, and since when, in that order

    def arrived(self, session_id: str, tunnel: Tunnel) -> bool:
        """A client has logged in; return whether this is the first tunnel of its session."""
        if not session_id:
            return True
        before = self._tunnels.get(session_id)
        self._tunnels[session_id] = tunnel
        self._forget()
        first = before is None and self._gone.pop(session_id, None) is None
        if before is not None:
            before.superseded()
        return first

    def left(self, session_id: str, tunnel: Tunnel) -> None:
        """A tunnel has ended."""
        if self._tunnels.get(session_id) is tunnel:
            del self._tunnels[session_id]
            self._gone[session_id] = asyncio.get_running_loop().time()
            self._forget()

    def _forget(self) -> None:
        """Drop those who have been gone too long."""
        start = asyncio.get_running_loop().time() - KNOWN
        while self._gone:
            longest = next(iter(self._gone))
            if self._gone[longest] > start and len(self._gone) <= _MOST:
                break
            del self._gone[longest]
