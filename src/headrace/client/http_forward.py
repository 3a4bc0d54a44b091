"""Plain HTTP: an application's connection from its first absolute-form request on (client spec §2.3).

    application ──► head without what is the connection's own ──► HttpOrigin ──► head likewise ──► application

One request after the other, as the application sends them; bodies pass in both directions at once, framed as
they were. There is no task and no future here: this object is the socket's protocol, and the origin calls it.
Nothing is added that would tell the origin of a proxy: no Via, no Forwarded.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from headrace.base.errors import RemoteProtocolError
from headrace.client.forward_stream import ForwardFailed
from headrace.client.http_answers import BAD_REQUEST, TOO_SLOW, WHO_ARE_YOU, answer_to_failure
from headrace.client.http_origin import HttpOrigin
from headrace.codec.http_body import Body, ByLength, UntilEnd, body_of_request
from headrace.codec.http_head import RequestHead, ResponseHead, head_end, parse_request
from headrace.net.dial import half_close, reset
from headrace.net.scratch import Scratch
from headrace.ssh.forwarding import Failure

if TYPE_CHECKING:
    from headrace.client.http_proxy import HttpProxy

__all__ = ["HttpForward"]

#: Bytes that may come ahead of what is done at the moment, before the application is made to wait.
MAX_AHEAD: Final = 64 * 1024
#: The application is behind above this many unwritten bytes.
HIGH, LOW = 128 * 1024, 32 * 1024
_SCRATCH: Final = Scratch(64 * 1024)
#: Requests that may be made twice without harm, if they have no body (RFC 9110 §9.2.1).
_SAFE: Final = frozenset((b"GET", b"HEAD", b"OPTIONS"))
_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"


class HttpForward(asyncio.BufferedProtocol):
    """An application's connection; `take_over` begins."""

    __slots__ = (
        "_answered",
        "_behind",
        "_chunking",
        "_ended",
        "_input",
        "_keep",
        "_leaving",
        "_origin",
        "_paused",
        "_proxy",
        "_request",
        "_tcp",
        "_up",
    )
    _tcp: asyncio.Transport

    def __init__(self, proxy: "HttpProxy") -> None:
        self._proxy = proxy
        self._input = b""  # not looked at yet
        self._request: RequestHead | None = None  # the one under way
        self._up: Body = ByLength(0)  # its body
        self._origin: HttpOrigin | None = None
        self._answered = False  # the answer's head is out
        self._keep = False  # the connection is kept after it
        self._chunking = False  # its body is put in chunks here
        self._behind = False  # the application does not read fast enough
        self._paused = False  # and this is how we make it wait
        self._ended = False  # it says no more
        self._leaving = False  # the last answer is out

    def take_over(self, tcp: asyncio.Transport, buffered: bytes) -> None:
        """Go on with a connection of which `buffered` was read: a request, and what came along with it."""
        self._tcp = tcp
        tcp.set_write_buffer_limits(HIGH, LOW)
        self._input = buffered
        self._next()

    def turn_away(self, tcp: asyncio.Transport, answer: bytes) -> None:
        """Go on with a connection only to answer this, and close."""
        self._tcp = tcp
        self._refuse(answer)

    # ---- requests -------------------------------------------------------------------------------------

    def _next(self) -> None:
        """Begin the next request if its head is here."""
        self._proxy.keeping.stop(self)
        try:
            end = head_end(self._input)
            request = parse_request(self._input[:end]) if end else None
        except RemoteProtocolError:
            self._refuse(BAD_REQUEST)
            return
        if request is None:
            if self._input and self not in self._proxy.reading:
                self._proxy.reading.start(self)
            return
        self._proxy.reading.stop(self)
        if request.target.form != "absolute":
            buffered, self._input = self._input, b""
            self._resume()
            self._proxy.connection().take_over(self._tcp, buffered, finished=self._ended)
        elif not self._proxy.admits(request):
            self._refuse(WHO_ARE_YOU)
        else:
            self._input = self._input[end:]
            self._begin(request)

    def _begin(self, request: RequestHead) -> None:
        self._request = request
        self._up = up = body_of_request(request)
        if request.method in _SAFE and up.done:
            place = request.target.host, request.target.port
            self._origin = self._proxy.origins.take(place, self)
        if self._origin is not None:
            self.ready()
        else:
            self._connect(request)

    def _connect(self, request: RequestHead) -> None:
        place = request.target.host, request.target.port
        try:
            self._origin = self._proxy.origins.connect(place, self)
        except ForwardFailed as error:
            self.failed(error.why)

    def _pass_up(self, head: bytes = b"") -> None:
        """Send what has come of the request, after its head if that has not gone yet."""
        origin, request = self._origin, self._request
        assert origin is not None
        assert request is not None
        part: bytes | memoryview = b""
        if not self._up.done:
            data = memoryview(self._input)
            try:
                part = self._up.take(data)
            except RemoteProtocolError:
                self._refuse(BAD_REQUEST)
                return
            self._input = bytes(data[len(part) :])
        if head:
            origin.ask(head + part, request.method, old=request.version == "1.0")
        else:
            origin.send(part)
        if self._up.done:
            origin.asked()
        elif self._ended:
            self._break_off()
            return
        if origin.behind:
            self._pause()

    @property
    def _sending(self) -> bool:
        """Whether the origin wants more of the request's body."""
        return self._origin is not None and self._origin.open and not self._up.done

    # ---- what the origin calls ------------------------------------------------------------------------

    def ready(self) -> None:
        origin, request = self._origin, self._request
        assert origin is not None
        assert request is not None
        self._pass_up(request.onward())
        self._resume()

    def writable(self) -> None:
        self._resume()

    def interim(self, head: ResponseHead) -> None:
        if self._request is not None and self._request.version == "1.1":
            self._tcp.write(head.onward(b""))

    def answered(self, head: ResponseHead, body: Body, part: bytes | memoryview) -> None:
        request = self._request
        assert request is not None
        old = request.version == "1.0"  # and does not know chunks
        unframed = isinstance(body, UntilEnd) or (old and head.fields.chunked)
        self._answered = True
        self._chunking = unframed and not old
        self._keep = request.persistent and self._up.done and not (unframed and old)
        ours = _CHUNKED if self._chunking else b"" if unframed or head.status == 204 else head.fields.framing
        if not self._keep:
            ours += b"Connection: close\r\n"
        elif old:
            ours += b"Connection: keep-alive\r\n"
        self._tcp.write(head.onward(ours) + self._framed(part))

    def data(self, part: bytes | memoryview) -> None:
        self._tcp.write(self._framed(part))

    def finished(self) -> None:
        if self._chunking:
            self._tcp.write(b"0\r\n\r\n")
        self._request = self._origin = None
        self._answered = self._chunking = False
        if not (self._keep and self._up.done):
            self._leave()
            return
        self._resume()
        if self._input and not self._behind:
            self._next()
        elif self._ended and not self._input:
            self.close()
        else:
            self._proxy.keeping.start(self)

    def failed(self, why: Failure) -> None:
        origin, request = self._origin, self._request
        assert request is not None
        self._origin = None
        if origin is not None and origin.reused and not origin.heard and why is not Failure.TIMED_OUT:
            self._connect(request)  # it was closed just when we used it again
        else:
            self._refuse(answer_to_failure(why, sentence=request.method != b"HEAD"))

    def broken(self) -> None:
        self._break_off()

    # ---- the application ------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:
        return _SCRATCH.view

    def buffer_updated(self, nbytes: int) -> None:
        if self._leaving:
            return
        self._input += _SCRATCH.view[:nbytes]
        if self._request is None and not self._behind:
            self._next()
        elif self._sending:
            self._pass_up()
        elif len(self._input) >= MAX_AHEAD:
            self._pause()

    def eof_received(self) -> bool:
        self._ended = True
        if self._sending:
            self._break_off()
        waiting = self._request is not None or (self._behind and bool(self._input))
        return waiting and not self._leaving

    def pause_writing(self) -> None:
        self._behind = True
        if self._origin is not None:
            self._origin.hold(True)

    def resume_writing(self) -> None:
        self._behind = False
        if self._origin is not None:
            self._origin.hold(False)
        elif self._request is None and self._input:
            self._next()  # whoever answers it finds the way free, and hears when it is not

    def connection_lost(self, exc: Exception | None) -> None:
        self._leaving = True
        for deadlines in (self._proxy.reading, self._proxy.keeping, self._proxy.leaving):
            deadlines.stop(self)
        self._drop_origin()

    # ---- the end --------------------------------------------------------------------------------------

    def too_slow(self) -> None:
        """The head of a request has taken too long."""
        self._refuse(TOO_SLOW)

    def close(self) -> None:
        """Close after what was written."""
        self._input = b""
        self._tcp.close()

    def _refuse(self, answer: bytes) -> None:
        """Answer in our own name, if it is not too late for that, and close."""
        self._drop_origin()
        if self._answered:
            reset(self._tcp)
        else:
            self._tcp.write(answer)
            self._leave()

    def _break_off(self) -> None:
        """One side has broken off: the other must not take what it has for everything."""
        self._drop_origin()
        reset(self._tcp)

    def _leave(self) -> None:
        """Close so that the application gets the answer, which a reset for what it still sends would lose."""
        self._leaving = True
        self._input = b""
        self._proxy.reading.stop(self)
        if self._ended or self._tcp.is_closing():
            self.close()
            return
        half_close(self._tcp)
        self._resume()
        self._proxy.leaving.start(self)

    def _drop_origin(self) -> None:
        origin, self._origin = self._origin, None
        if origin is not None:
            origin.close()

    def _framed(self, part: bytes | memoryview) -> bytes | memoryview:
        return b"".join((b"%x\r\n" % len(part), part, b"\r\n")) if self._chunking and part else part

    def _pause(self) -> None:
        if not self._paused and not self._tcp.is_closing():
            self._paused = True
            self._tcp.pause_reading()

    def _resume(self) -> None:
        """Let the application go on, if nothing speaks against it."""
        full = len(self._input) >= MAX_AHEAD or (self._origin is not None and self._origin.behind)
        if self._paused and not full and not self._tcp.is_closing():
            self._paused = False
            self._tcp.resume_reading()
