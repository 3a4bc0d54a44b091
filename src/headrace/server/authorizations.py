"""Who uses which authorization at a worker, and what it gives them for as long as it lasts.

An authorization serves one session at a time. When another presents it, the first has all of its own
revoked: it goes on under the rules for such clients. What expires meanwhile counts no more, at once.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from headrace.base.clock import Clock
from headrace.base.errors import DocumentError
from headrace.documents.authorizations import Authorization, KeyRing

__all__ = ["MOST", "Authorizations", "Grant"]

#: Authorizations of one client that are looked at: each costs a signature's verification.
MOST: Final = 16


class Grant:
    """What one tunnel's authorizations give it. `changed` is called when that is less than before."""

    def __init__(self, session_id: str, active: Sequence[Authorization], changed: Callable[[], None]) -> None:
        self.session_id = session_id
        self.active = tuple(active)  #: in force, in the order in which the client presented them
        self.claimed = tuple(authorization.id for authorization in active)  #: expired ones too
        self.revoked = False
        self._changed = changed

    def revoke(self) -> None:
        """Another session uses one of these authorizations."""
        self.revoked = True
        self._changed()

    def expire(self, now: float) -> None:
        """Drop what has come to its end."""
        lasting = tuple(each for each in self.active if each.expires > now)
        if len(lasting) < len(self.active):
            self.active = lasting
            self._changed()


class Authorizations:
    """Hands out grants, and knows the one that each authorization is in. `counts` is where it counts."""

    def __init__(self, ring: KeyRing, clock: Clock, counts: Counter[str]) -> None:
        self._ring = ring
        self._clock = clock
        self._counts = counts
        self._holders: dict[str, Grant] = {}

    def claim(self, session_id: str, texts: Sequence[str], changed: Callable[[], None]) -> Grant:
        """Verify what a client presents: at most one for each access type counts, the first that is good."""
        active: dict[str, Authorization] = {}
        for text in texts[:MOST]:
            try:
                authorization = self._ring.verify(text, self._clock.time())
            except DocumentError:
                self._counts["authorization.refused"] += 1
                continue
            active.setdefault(authorization.access_type, authorization)
            self._counts["authorization.accepted"] += 1
        grant = Grant(session_id, list(active.values()), changed)
        for identity in grant.claimed:
            holder = self._holders.get(identity)
            self._holders[identity] = grant
            if holder is None or holder.revoked:
                continue
            if holder.session_id != session_id or not session_id:  # else it is the same client, back again
                self._counts["authorization.revoked"] += 1
                holder.revoke()
        return grant

    def release(self, grant: Grant) -> None:
        """A tunnel has ended: whoever presents its authorizations next takes them from nobody."""
        for identity in grant.claimed:
            if self._holders.get(identity) is grant:
                del self._holders[identity]
