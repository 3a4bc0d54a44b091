"""How fast one tunnel may be, each way, and when it has had all that it may have."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from headrace.documents.traffic_rules import TrafficLimits
from headrace.net.tunnel_socket import Limit
from headrace.server.throttle import Throttle

__all__ = ["Rates"]


class Socket(Protocol):
    """What is held to them."""

    bytes_in: int
    bytes_out: int

    def limit(self, limits: tuple[Limit, Limit] | None, read_at_once: int = 0) -> None: ...


class Rates:
    """Holds a socket to its client's limits. `exhausted` is called when the tunnel is to be closed.

    What is free comes once, with the handshake: other limits change what is left of it and give none anew.
    """

    __slots__ = ("_before", "_close", "_exhausted", "_inward", "_outward", "_socket")

    def __init__(self, socket: Socket, exhausted: Callable[[], None]) -> None:
        self._socket = socket
        self._exhausted = exhausted
        self._close = False
        self._before = 0, 0  # bytes that do not count
        self._inward = Throttle()
        self._outward = Throttle()

    def begin(self) -> None:
        """Count from now on."""
        self._before = self._socket.bytes_in, self._socket.bytes_out
        self._inward = Throttle()
        self._outward = Throttle()

    def change(self, limits: TrafficLimits) -> None:
        """Go by these limits; what has passed counts towards them."""
        now = asyncio.get_running_loop().time()
        # Nothing was counted while there was no limit.
        self._inward.passed = self._socket.bytes_in - self._before[0]
        self._outward.passed = self._socket.bytes_out - self._before[1]
        reads, writes = limits.read_bytes_per_second, limits.write_bytes_per_second
        self._inward.change(limits.read_unthrottled_bytes, reads, now)
        self._outward.change(limits.write_unthrottled_bytes, writes, now)
        self._close = limits.close_after_exhausted
        limited = self._close or reads or writes
        # No more than what a second may bring is read at once, so that the rest after it is short.
        self._socket.limit((self._read, self._written) if limited else None, reads)
        self._rest(0.0)

    def _read(self, count: int, now: float) -> float:
        return self._rest(self._inward.delay_after(count, now))

    def _written(self, count: int, now: float) -> float:
        return self._rest(self._outward.delay_after(count, now))

    def _rest(self, delay: float) -> float:
        """Return how long to rest: not at all where the tunnel ends when its free bytes do."""
        if not self._close:
            return delay
        if self._inward.exhausted or self._outward.exhausted:
            self._close = False
            self._exhausted()
        return 0.0
