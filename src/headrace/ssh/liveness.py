"""The liveness test: so many random bytes up, so many down, on a channel of its own (tunnel spec §6).

The channel's extra data is a JSON object, {"u": bytes up, "d": bytes down}; what is zero is left out. Both
ends do the same with the figures swapped: send theirs as the window allows, swallow the other's, close when
both are done.
"""

from typing import Final

import msgspec

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import Rng
from headrace.ssh.channel import MAX_DATA, Channel

__all__ = ["MAX_BYTES", "LivenessRequest", "RandomExchange", "parse_liveness"]

#: Most bytes that may be asked for in one direction.
MAX_BYTES: Final = 10 * 1024 * 1024
_MAX_EXTRA: Final = 1024


class LivenessRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much is to go each way, in bytes."""

    up: int = msgspec.field(default=0, name="u")
    down: int = msgspec.field(default=0, name="d")

    def encode(self) -> bytes:
        """Return the channel's extra data."""
        return msgspec.json.encode(self)


def parse_liveness(extra: bytes) -> LivenessRequest:
    """Read the extra data of a liveness channel. Raises RemoteProtocolError."""
    if len(extra) > _MAX_EXTRA:
        raise RemoteProtocolError(f"liveness test with {len(extra)} bytes of description")
    try:
        request = msgspec.json.decode(extra, type=LivenessRequest)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RemoteProtocolError("liveness test that cannot be read") from error
    if not (0 <= request.up <= MAX_BYTES and 0 <= request.down <= MAX_BYTES):
        raise RemoteProtocolError("liveness test of more than it may be")
    return request


class RandomExchange:
    """One end of the test, as the endpoint of its channel: sends `send` bytes and expects `expect` bytes."""

    def __init__(self, send: int, expect: int, rng: Rng) -> None:
        self.sent = self.received = 0
        self._send = send
        self._expect = expect
        self._rng = rng
        self._channel: Channel | None = None

    @property
    def complete(self) -> bool:
        """Everything went through, both ways."""
        return self.sent >= self._send and self.received >= self._expect

    def opened(self, channel: Channel) -> None:
        self._channel = channel
        self._pump(channel)

    def refused(self, reason: int, text: str) -> None:
        """There will be no test."""

    def data(self, view: memoryview) -> None:
        self.received += len(view)
        self._close_if_complete()

    def pause(self) -> None:
        """Nothing to do: sending stops by itself where there is no room."""

    def writable(self) -> None:
        if self._channel is not None:
            self._pump(self._channel)

    def eof(self) -> None:
        """The other side sends no more, so what is missing stays missing."""
        self._expect = min(self._expect, self.received)
        self._close_if_complete()

    def closed(self, error: Exception | None) -> None:
        self._channel = None

    def _pump(self, channel: Channel) -> None:
        while self.sent < self._send:
            size = min(self._send - self.sent, channel.room, MAX_DATA)
            if not size:
                channel.wait()
                return
            self.sent += size
            channel.send(self._rng.bytes(size))
        self._close_if_complete()

    def _close_if_complete(self) -> None:
        if self.complete and self._channel is not None:
            self._channel.close()
