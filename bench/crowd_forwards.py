"""Port forwards as a crowd uses them: one that echoes, and one that swallows what pours in."""

import asyncio

from headrace.base.errors import NetworkError
from headrace.client.tunnel import Tunnel
from headrace.ssh.channel import Channel
from headrace.ssh.forwarding import Destination

__all__ = ["EchoForward", "PouringForward", "RefusedForward"]

#: Seconds to wait for an answer of any kind.
PATIENCE = 30.0


class RefusedForward(NetworkError):
    """The server would not open a port forward."""


class _Forward:
    """The local side of a forward to a loopback port. `begin` it, then `await ready`."""

    def __init__(self, tunnel: Tunnel, port: int) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        self._channel: Channel = tunnel.open(Destination("127.0.0.1", port), self)

    async def wait_ready(self) -> None:
        """Wait until the server agreed. Raises RefusedForward or another NetworkError."""
        async with asyncio.timeout(PATIENCE):
            await self.ready

    async def close(self) -> None:
        """Close, and wait until the server did so too."""
        self._channel.close()
        async with asyncio.timeout(PATIENCE):
            await self.over

    # ---- what the channel calls -----------------------------------------------------------------------

    def opened(self, channel: Channel) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    def refused(self, reason: int, text: str) -> None:
        if not self.ready.done():
            self.ready.set_exception(RefusedForward(f"a port forward was refused: {text or reason}"))
            self.ready.exception()  # seen, whether or not anybody waits

    def data(self, view: memoryview) -> None:
        """Nothing is done with data here."""

    def pause(self) -> None:
        """Nothing is sent in bulk."""

    def writable(self) -> None:
        """Nothing is sent in bulk."""

    def eof(self) -> None:
        self._channel.close()

    def closed(self, error: Exception | None) -> None:
        lost = NetworkError("a port forward was lost")
        for waited in (self.ready, *self._waiting()):
            if not waited.done():
                waited.set_exception(lost)
                waited.exception()
        if not self.over.done():
            self.over.set_result(None)

    def _waiting(self) -> tuple["asyncio.Future[None]", ...]:
        return ()


class EchoForward(_Forward):
    """Sends a little and waits for it to come back."""

    def __init__(self, tunnel: Tunnel, port: int) -> None:
        self._expected = 0
        self._answered: asyncio.Future[None] | None = None
        super().__init__(tunnel, port)

    async def echo(self, size: int = 1) -> None:
        """Send `size` bytes, and return when as many are back. Raises NetworkError or TimeoutError."""
        if self.over.done():
            raise NetworkError("a port forward was lost")
        self._expected = size
        self._answered = asyncio.get_running_loop().create_future()
        self._channel.send(bytes(size))
        async with asyncio.timeout(PATIENCE):
            await self._answered
        self._answered = None

    def data(self, view: memoryview) -> None:
        self._expected -= len(view)
        if self._expected <= 0 and self._answered is not None and not self._answered.done():
            self._answered.set_result(None)

    def _waiting(self) -> tuple["asyncio.Future[None]", ...]:
        return () if self._answered is None else (self._answered,)


class PouringForward(_Forward):
    """Receives for ever, and counts."""

    def __init__(self, tunnel: Tunnel, port: int) -> None:
        self.received = 0
        super().__init__(tunnel, port)

    def data(self, view: memoryview) -> None:
        self.received += len(view)
