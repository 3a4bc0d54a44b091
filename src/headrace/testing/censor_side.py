"""One of the two connections that a censor holds, to the client or to the target, on any transport."""

import asyncio
from typing import Protocol, cast

from headrace.net.dial import reset
from headrace.testing.censorship import Way

__all__ = ["Owner", "Side"]


class Owner(Protocol):
    """Who is told what happens at a side."""

    def made(self, side: "Side") -> None:
        """It has its transport."""

    def received(self, way: Way, data: bytes) -> None:
        """Bytes came."""

    def finished(self, side: "Side") -> None:
        """It has nothing more to say."""

    def lost(self, side: "Side") -> None:
        """It has gone."""

    def advance(self) -> None:
        """All that was written is on its way."""


class Side(asyncio.Protocol):
    """A connection from which bytes come on the `way`."""

    def __init__(self, owner: Owner, way: Way) -> None:
        self.way = way
        self.transport: asyncio.Transport | None = None
        self.gone = False
        self.clogged = False  #: not all that was written has left
        self.ended = False  #: FIN was written
        self._owner = owner
        self._reading = True
        self._finished = False  # FIN came

    # ---- what the owner does ---------------------------------------------------------------------------

    @property
    def _open(self) -> asyncio.Transport | None:
        return None if self.transport is None or self.transport.is_closing() else self.transport

    def write(self, data: bytes) -> None:
        if tcp := self._open:
            tcp.write(data)

    def write_eof(self) -> None:
        self.ended = True
        if tcp := self._open:
            tcp.write_eof()

    def close(self) -> None:
        if tcp := self._open:
            tcp.close()

    def reset(self) -> None:
        """Send RST."""
        if self.transport is not None and not self.gone:
            reset(self.transport)

    def read(self, reading: bool) -> None:
        """Take what comes, or leave it to wait."""
        if reading is not self._reading and not self._finished and (tcp := self._open):
            self._reading = reading
            if reading:
                tcp.resume_reading()
            else:
                tcp.pause_reading()

    # ---- what the loop tells ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(0)  # we are told when all is on its way
        self._owner.made(self)

    def data_received(self, data: bytes) -> None:
        self._owner.received(self.way, data)

    def eof_received(self) -> bool:
        self._finished = True
        self._owner.finished(self)
        return True  # the directions end each for itself

    def pause_writing(self) -> None:
        self.clogged = True

    def resume_writing(self) -> None:
        self.clogged = False
        self._owner.advance()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._owner.lost(self)
