"""A TCP transport without a network: notes what is done to it, hands over what a test says arrived."""

import asyncio

__all__ = ["FakeTcp"]


class FakeTcp(asyncio.Transport):
    """Give it a protocol, feed it with `arrive`. With `stuck`, nothing written ever leaves the buffer."""

    def __init__(self, protocol: asyncio.BaseProtocol, *, stuck: bool = False) -> None:
        super().__init__({"peername": ("192.0.2.1", 40000)})
        self.written = bytearray()
        self.events: list[tuple[float, str]] = []  #: fin, close, abort, pause, resume with their times
        self.buffered = 0
        self.stuck = stuck
        self.reading = True
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._closing = self._lost = False
        self._high, self._low, self._paused = 64 * 1024, 16 * 1024, False
        protocol.connection_made(self)

    # ---- the test's side ------------------------------------------------------------------------------

    def arrive(self, data: bytes) -> int:
        """Hand bytes to the protocol, as far as it reads; return how many it took."""
        taken = 0
        while taken < len(data) and self.reading and not self._closing:
            protocol = self._protocol
            if isinstance(protocol, asyncio.BufferedProtocol):
                buffer = memoryview(protocol.get_buffer(-1))
                piece = data[taken : taken + len(buffer)]
                buffer[: len(piece)] = piece
                protocol.buffer_updated(len(piece))
            else:
                assert isinstance(protocol, asyncio.Protocol)
                piece = data[taken:]
                protocol.data_received(piece)
            taken += len(piece)
        return taken

    def finish(self) -> None:
        """The peer half-closes."""
        assert isinstance(self._protocol, asyncio.Protocol | asyncio.BufferedProtocol)
        if not self._protocol.eof_received():
            self.close()

    def drain(self) -> None:
        """What was written leaves, after all."""
        self.stuck = False
        self.buffered = 0
        if self._closing:
            self._lose()
        elif self._paused:
            self._paused = False
            self._protocol.resume_writing()

    @property
    def log(self) -> list[str]:
        """What happened, without the times."""
        return [event for _, event in self.events]

    @property
    def lost(self) -> bool:
        """Whether the connection is gone for good, and not just closing."""
        return self._lost

    # ---- asyncio's side -------------------------------------------------------------------------------

    def _note(self, event: str) -> None:
        self.events.append((self._loop.time(), event))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data
        if self.stuck:
            self.buffered += len(data)
            if self.buffered > self._high and not self._paused:
                self._paused = True
                self._protocol.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high, self._low = high or 0, low or 0

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def pause_reading(self) -> None:
        self.reading = False
        self._note("pause")

    def resume_reading(self) -> None:
        self.reading = True
        self._note("resume")

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._note("fin")

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._note("close")
            self._closing = True
            if not self.buffered:  # otherwise what was written leaves first, if it ever does
                self._lose()

    def abort(self) -> None:
        if not self._lost:
            self._note("abort")
            self._closing = True
            self._lose()

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            self._loop.call_soon(self._protocol.connection_lost, None)
