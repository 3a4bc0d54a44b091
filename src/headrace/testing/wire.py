"""A TCP connection without sockets: two transports, what is written to one arrives at the other.

Nothing waits for time to pass. Each end notes what is done to it, as `FakeTcp` does.
"""

import asyncio

from headrace.testing.fake_tcp import FakeTcp

__all__ = ["Wire"]


class Wire(FakeTcp):
    """One end; what is written arrives at the other when the loop gets to it.

    A protocol that sets its high-water mark to 0 is told when everything has arrived. Any other may write on.
    """

    def __init__(self, protocol: asyncio.BaseProtocol) -> None:
        self._line = bytearray()  # written, and not yet at the peer's
        self._peer: Wire | None = None
        self._scheduled = False
        self._ending = self._ended = False  # our FIN follows what is on the line; it has arrived
        super().__init__(protocol)

    def join(self, peer: "Wire") -> None:
        """Connect the two ends."""
        self._peer, peer._peer = peer, self
        self._schedule()
        peer._schedule()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        super().write(data)
        self._line += data
        if not self.stuck:
            self._schedule()
        if self._high == 0 and self._line and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def write_eof(self) -> None:
        super().write_eof()
        self._ending = True
        self._schedule()

    def resume_reading(self) -> None:
        super().resume_reading()
        if self._peer is not None:
            self._peer._schedule()

    def drain(self) -> None:
        super().drain()
        self._schedule()

    def abort(self) -> None:
        if not self._lost:
            self._line.clear()
            super().abort()
            if self._peer is not None:
                self._peer._reset()

    def close(self) -> None:
        super().close()
        self._ending = True
        self._schedule()

    def _reset(self) -> None:
        if not self._lost:
            self._note("reset")
            self._closing = self._lost = True
            self._loop.call_soon(self._protocol.connection_lost, ConnectionResetError())

    def _schedule(self) -> None:
        if self._peer is not None and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        peer = self._peer
        if peer is None or self.stuck:
            return
        taken = peer.arrive(bytes(self._line))
        del self._line[:taken]
        if self._line:
            return
        if self._ending and not self._ended and peer.reading and not peer.is_closing():
            self._ended = True
            peer.finish()
        if self._paused and not self._lost:
            self._paused = False
            self._protocol.resume_writing()
