"""What went through the port forwards of one tunnel, those that are open included."""

from typing import Protocol

__all__ = ["Flow", "Traffic"]


class Flow(Protocol):
    """A port forward, or a UDP flow. The socket is the one to the destination: in is down, out is up."""

    bytes_in: int
    bytes_out: int


class Traffic:
    """Of one transport. Nothing is done per byte: flows count, and are asked."""

    __slots__ = ("_down", "_open", "_up", "peak", "total")

    def __init__(self) -> None:
        self.total = 0  #: flows there have been
        self.peak = 0  #: most at once
        self._open: set[Flow] = set()
        self._up = self._down = 0  # of those that are closed

    @property
    def open(self) -> int:
        """Flows there are now."""
        return len(self._open)

    @property
    def up(self) -> int:
        """Bytes to destinations."""
        return self._up + sum([flow.bytes_out for flow in self._open]) if self._open else self._up

    @property
    def down(self) -> int:
        """Bytes from them."""
        return self._down + sum([flow.bytes_in for flow in self._open]) if self._open else self._down

    def opened(self, flow: Flow) -> None:
        """There is one more."""
        self._open.add(flow)
        self.total += 1
        self.peak = max(self.peak, len(self._open))

    def closed(self, flow: Flow) -> None:
        """One has ended. Nothing happens if it never was one of these, or has been closed already."""
        if flow in self._open:
            self._open.discard(flow)
            self._up += flow.bytes_out
            self._down += flow.bytes_in

    def close(self) -> None:
        """All have ended: the tunnel is gone."""
        for flow in list(self._open):
            self.closed(flow)
