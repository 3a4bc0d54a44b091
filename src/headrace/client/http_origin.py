"""A connection to an origin, through the tunnel or past it, that answers one request at a time.

It is a channel's endpoint and nothing more: no task and no future. What arrives is looked at only as far as
it takes to tell where the response ends; then the connection goes back to the pool, if it is still good.
"""

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from headrace.base.errors import NetworkError, RemoteProtocolError
from headrace.client.direct_channel import DirectChannel
from headrace.client.local_connection import OPEN_TIMEOUT
from headrace.client.split_tunnel import SplitTunnel
from headrace.codec.http_body import Body, Chunked, UntilEnd, body_of_response
from headrace.codec.http_head import ResponseHead, head_end, parse_response
from headrace.ssh import numbers
from headrace.ssh.channel import Channel
from headrace.ssh.forwarding import Destination, Failure

if TYPE_CHECKING:
    from headrace.client.http_origins import HttpOrigins

__all__ = ["MAX_INTERIM", "Asker", "HttpOrigin", "Place"]

#: Responses that may come before the answer: each costs more to read than to send.
MAX_INTERIM: Final = 32

#: Host and port.
Place = tuple[str, int]


class Asker(Protocol):
    """Who asks an origin. After `failed`, `broken` or `finished` it hears no more of it."""

    def ready(self) -> None:
        """The connection is open, as one that was kept is from the beginning."""

    def failed(self, why: Failure) -> None:
        """There is no connection, or no answer."""

    def interim(self, head: ResponseHead) -> None:
        """The origin has something to say before it answers."""

    def answered(self, head: ResponseHead, body: Body, part: bytes | memoryview) -> None:
        """This is the answer, and the first of its body."""

    def data(self, part: bytes | memoryview) -> None:
        """More of the body."""

    def broken(self) -> None:
        """The body ended before its end."""

    def finished(self) -> None:
        """The body is complete."""

    def writable(self) -> None:
        """All that was sent has left."""


class HttpOrigin:
    """The endpoint of one connection to `place`, working for `asker` if anybody."""

    __slots__ = (
        "_asked",
        "_asker",
        "_body",
        "_channel",
        "_going",
        "_input",
        "_interim",
        "_method",
        "_old",
        "_persistent",
        "_pool",
        "_unsent",
        "heard",
        "place",
        "reused",
    )

    def __init__(self, pool: "HttpOrigins", place: Place, asker: Asker) -> None:
        self.place = place
        self.reused = False  #: this is not its first request
        self.heard = False  #: the origin has said something since it was asked
        self._pool = pool
        self._asker: Asker | None = asker
        self._channel: Channel | DirectChannel | None = None
        self._going: asyncio.Task[None] | None = None
        self._asked = False  # the whole request is out
        self._method = b""
        self._old = False
        self._input = b""  # the beginning of a head
        self._interim = 0  # heads before the answer's
        self._body: Body | None = None  # from the response's head on
        self._persistent = False
        self._unsent = b""

    # ---- for the asker --------------------------------------------------------------------------------

    def lend(self, asker: Asker) -> None:
        """Work for another asker."""
        self._asker = asker
        self.reused = True
        self.heard = self._asked = False
        self._interim = 0

    def ask(self, data: bytes, method: bytes, *, old: bool) -> None:
        """Send the beginning of a request; an `old` asker does not know chunks."""
        self._method, self._old = method, old
        self.send(data)

    def asked(self) -> None:
        """The request is complete: the time for an answer begins."""
        self._asked = True
        if self._body is None:
            self._pool.answering.start(self)

    def send(self, data: bytes | memoryview) -> None:
        """Send, now or as soon as there is room."""
        channel = self._channel
        if channel is None or self._unsent:
            self._unsent += data
            return
        room = channel.room
        if len(data) <= room:
            channel.send(data)
            return
        if room:
            channel.send(data[:room])
        self._unsent = bytes(data[room:])
        channel.wait()

    @property
    def open(self) -> bool:
        """Whether there is a connection."""
        return self._channel is not None

    @property
    def behind(self) -> bool:
        """Whether what was sent has not left yet."""
        return bool(self._unsent)

    def hold(self, held: bool) -> None:
        """Let nothing more come than is on its way, or let it come again."""
        if self._channel is None:
            return
        if held:
            self._channel.hold()
        else:
            self._channel.release()

    def close(self) -> None:
        """Have nothing more to do with it."""
        self._asker = None
        self._pool.forget(self)
        if self._going is not None:
            self._going.cancel()
        if self._channel is not None:
            self._channel.close()

    def timed_out(self) -> None:
        """The connection was not opened, or the request not answered, in time."""
        if self._channel is None:
            self._pool.forwarder.forward_failed()
        self._fail(Failure.TIMED_OUT)

    def go_directly(self, split: SplitTunnel, destination: Destination) -> None:
        """Connect past the tunnel."""
        self._going = self._pool.forwarder.loop.create_task(self._go(split, destination))

    # ---- what the channel calls -----------------------------------------------------------------------

    def opened(self, channel: Channel | DirectChannel) -> None:
        self._pool.opening.stop(self)
        self._channel = channel
        if self._asker is None:
            channel.close()
        else:
            self._asker.ready()

    def refused(self, reason: int, text: str) -> None:
        self._pool.opening.stop(self)
        forwarder, destination = self._pool.forwarder, Destination(*self.place)
        split = forwarder.split
        if reason != numbers.SPLIT_TUNNEL:
            forwarder.forward_failed()
        elif split is not None and split.told(destination):
            if self._asker is not None:
                self.go_directly(split, destination)
            return
        self._fail(Failure.of_refusal(text))

    def data(self, view: memoryview) -> None:
        if self._asker is None:
            self.close()  # an origin that speaks unasked is not believed later
            return
        self.heard = True
        try:
            if self._body is None:
                self._on_head(view)
            else:
                self._on_body(self._body, view)
        except RemoteProtocolError:
            self._lose(Failure.FAILED)

    def pause(self) -> None:
        """Nothing to stop: `send` looks at the room there is."""

    def writable(self) -> None:
        unsent, self._unsent = self._unsent, b""
        if unsent:
            self.send(unsent)
        if not self._unsent and self._asker is not None:
            self._asker.writable()

    def eof(self) -> None:
        self._end(broken=False)

    def closed(self, error: Exception | None) -> None:
        opened, self._channel = self._channel is not None, None
        if opened:
            self._end(broken=error is not None)
        else:
            self._fail(Failure.NO_TUNNEL)

    # ---- the response ---------------------------------------------------------------------------------

    def _on_head(self, view: memoryview) -> None:
        data = self._input + view
        while end := head_end(data):
            head = parse_response(data[:end])
            if head.status == 101:
                raise RemoteProtocolError("the origin changes to a protocol that nobody asked for")
            if head.status >= 200:
                self._input = b""
                self._answer(head, memoryview(data)[end:])
                return
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise RemoteProtocolError("the origin has much to say, but no answer")
            assert self._asker is not None
            self._asker.interim(head)
            data = data[end:]
        self._input = data

    def _answer(self, head: ResponseHead, rest: memoryview) -> None:
        asker = self._asker
        assert asker is not None
        self._pool.answering.stop(self)
        body = body_of_response(head, self._method, decode=self._old)
        part = body.take(rest)
        self._body = body
        self._persistent = head.persistent
        asker.answered(head, body, _content(body, part))
        if body.done:
            self._finish(exact=len(part) == len(rest))

    def _on_body(self, body: Body, view: memoryview) -> None:
        part = body.take(view)
        assert self._asker is not None
        self._asker.data(_content(body, part))
        if body.done:
            self._finish(exact=len(part) == len(view))

    def _finish(self, *, exact: bool) -> None:
        """The response is over; `exact` says that nothing came behind it."""
        asker, self._asker = self._asker, None
        self._body = None
        if exact and self._asked and self._persistent:
            self.hold(False)  # to hear at once if it ends, or speaks unasked
            self._pool.keep(self)
        else:
            self.close()
        if asker is not None:
            asker.finished()

    def _end(self, *, broken: bool) -> None:
        """The origin says no more."""
        if isinstance(self._body, UntilEnd) and not broken:
            self._finish(exact=False)
        else:
            self._lose(Failure.FAILED)

    def _lose(self, why: Failure) -> None:
        if self._body is None:
            self._fail(why)
            return
        asker = self._asker
        self.close()
        if asker is not None:
            asker.broken()

    def _fail(self, why: Failure) -> None:
        asker = self._asker
        self.close()
        if asker is not None:
            asker.failed(why)

    async def _go(self, split: SplitTunnel, destination: Destination) -> None:
        try:
            stream = await split.connect(destination, OPEN_TIMEOUT)
        except NetworkError as error:
            self._fail(Failure.of_error(error))
        else:
            self.opened(DirectChannel(stream, self, self._pool.forwarder.loop))


def _content(body: Body, part: memoryview) -> bytes | memoryview:
    """Return what to pass on of a part of a body: all of it, unless its chunks are to be opened."""
    if isinstance(body, Chunked) and body.payload is not None:
        content = b"".join(body.payload)
        body.payload.clear()
        return content
    return part
