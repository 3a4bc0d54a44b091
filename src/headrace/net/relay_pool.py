"""The open relays of one owner: how many there are, which has been idle longest, which should end.

Nothing is done per byte or per relay: relays note that they were busy, and `sweep` looks now and then.
"""

from collections.abc import Callable

from headrace.net.relay import Relay

__all__ = ["RelayPool"]


class RelayPool:
    """Makes relays and keeps them as long as their sockets are open. `ended` is called when one is done."""

    def __init__(self, idle_limit: float = 0.0, ended: Callable[[Relay], None] | None = None) -> None:
        self.idle_limit = idle_limit  #: seconds without a byte after which a relay is closed, 0 for never
        self._idle: dict[Relay, float] = {}  # open relays, and for how long nothing has passed
        self._tell = ended
        self._end = self._ended  # bound once, not once per relay

    def __len__(self) -> int:
        """How many are open, not counting those that are closing."""
        return sum(not relay.closing for relay in self._idle)

    @property
    def buffered(self) -> int:
        """Bytes that wait for their sockets to take them."""
        return sum(relay.buffered for relay in self._idle)

    def make(self) -> Relay:
        """Return a new relay; it counts once it is `add`ed."""
        return Relay(self._end)

    def add(self, relay: Relay) -> None:
        """Look after a relay until its socket is gone."""
        self._idle[relay] = 0.0

    def make_room(self, most: int) -> None:
        """If `most` relays are open (0: any number may be), close those that have been idle longest.

        Those that are closing do not count, but each holds a socket until that has taken what is unwritten,
        which the far side decides: so there may be as many again, and of more the longest idle go.
        """
        if most and len(self._idle) >= most:
            open_ = self._longest_idle(closing=False)
            for relay in self._longest_idle(closing=True)[: max(0, len(self._idle) - len(open_) - most)]:
                relay.abort()
            for relay in open_[: max(0, len(open_) - most + 1)]:  # several if more were allowed before
                relay.close()

    def _longest_idle(self, *, closing: bool) -> list[Relay]:
        relays = [relay for relay in self._idle if relay.closing is closing]
        return sorted(relays, key=lambda relay: (relay.busy, -self._idle[relay]))

    def sweep(self, elapsed: float) -> None:
        """Note who was idle for the last `elapsed` seconds; close who was for too long.

        A relay whose far side has finished is not waited for once its near side is quiet. One that is closing
        but whose socket takes nothing any more is dropped after the same limit.
        """
        for relay in list(self._idle):
            if relay.stirred():
                self._idle[relay] = 0.0
                continue
            self._idle[relay] = idle = self._idle[relay] + elapsed
            overdue = bool(self.idle_limit) and idle >= self.idle_limit
            if relay.closing:
                if overdue:
                    relay.abort()
            elif relay.half_closed or overdue:
                self._idle[relay] = 0.0
                relay.close()

    def abort(self) -> None:
        """Drop them all: what their channels went through is gone."""
        idle, self._idle = self._idle, {}
        for relay in idle:
            relay.abort()

    def _ended(self, relay: Relay) -> None:
        self._idle.pop(relay, None)
        if self._tell is not None:
            self._tell(relay)
