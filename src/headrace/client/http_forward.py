"""Plain HTTP through the tunnel: what an application asks of the proxy in absolute form (client spec §2.3).

    application ──► h11 server ──► hop-by-hop headers off ──► h11 client ──► port forward to the origin

One request after the other, as the application sends them; its connection is kept alive, and so is one to
each origin for as long as the application's own lasts. Bodies are streamed in both directions at once.
Nothing is added that would tell the origin of a proxy: no Via, no Forwarded.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final, TypeVar

import h11

from headrace.base.errors import HeadraceError, NetworkError, RemoteProtocolError
from headrace.client.local_connection import PortForwarder
from headrace.codec.http_head import (
    MAX_HEAD,
    RequestHead,
    RequestTarget,
    parse_target,
    strip_hop_by_hop,
)
from headrace.net.streams import ByteStream, ChannelStream, ForwardRefused, SocketStream
from headrace.ssh import numbers
from headrace.ssh.forwarding import Destination

__all__ = ["HttpForward"]

T = TypeVar("T")

#: Seconds for the head of the response once the request is out.
RESPONSE_TIMEOUT: Final = 15.0
#: Most origins to which a connection is kept for later requests.
MAX_KEPT: Final = 8
#: Seconds for an application to take its last response.
LAST_LOOK: Final = 1.0

_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#: Requests that may be made twice without harm, if they have no body (RFC 9110 §9.2.1).
_SAFE: Final = frozenset((b"GET", b"HEAD", b"OPTIONS"))


@dataclass(slots=True)
class _Origin:
    """A port forward to an origin, and where its HTTP conversation stands."""

    stream: ChannelStream
    http: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT, MAX_HEAD))
    reused: bool = False
    heard: bool = False  #: the origin has answered the current request with something

    @property
    def reusable(self) -> bool:
        """Whether it idles as it should: an origin that spoke unasked is not to be believed."""
        return self.stream.quiet and self.http.our_state is h11.IDLE and not self.http.trailing_data[0]


class _Stale(Exception):
    """A kept connection was closed by its origin just when we used it again."""


class HttpForward(SocketStream):
    """An application's proxy connection from its first absolute-form request on."""

    def __init__(self, forwarder: PortForwarder) -> None:
        super().__init__()
        self._forwarder = forwarder
        self._http = h11.Connection(h11.SERVER, MAX_HEAD)
        self._origins: dict[tuple[str, int], _Origin] = {}
        self._answered = False  # some of the answer to the current request is out
        self._task: asyncio.Task[None] | None = None

    def take_over(self, transport: asyncio.BaseTransport, head: bytes) -> None:
        """Go on with a connection of which `head` was read, the first request and what came along with it."""
        self.connection_made(transport)
        self._http.receive_data(head)
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._task is not None:
            self._task.cancel()

    # ---- the conversation -----------------------------------------------------------------------------

    async def _serve(self) -> None:
        try:
            while await self._serve_one():
                self._http.start_next_cycle()
                self._answered = False
            await self.finish(LAST_LOOK)
        except (HeadraceError, h11.ProtocolError):
            if self._answered:
                self.abort()
                return
            theirs = self._http.their_state is h11.ERROR
            await self._answer_and_finish(_BAD_REQUEST if theirs else _BAD_GATEWAY)
        finally:
            for origin in self._origins.values():
                origin.stream.close()
            self.close()

    async def _answer_and_finish(self, answer: bytes) -> None:
        try:
            await self.write(answer)
        except NetworkError:
            return
        await self.finish(LAST_LOOK)

    async def _serve_one(self) -> bool:
        """Answer one request; return whether another may follow."""
        request = await _next_event(self._http, self)
        if not isinstance(request, h11.Request):
            return False  # the application has gone
        try:
            target = parse_target(request.method.decode("ascii"), request.target)
        except RemoteProtocolError:
            target = RequestTarget("origin", "", 0, "")
        if target.form == "connect":
            # To an application this looks like a kept connection that timed out; it asks again on a new one.
            return False
        if target.form == "origin":
            self._answered = True
            await self._answer_and_finish(_BAD_REQUEST)
            return False
        has_body = _has_body(request)
        repeatable = request.method in _SAFE and not has_body
        place = (target.host, target.port)
        origin = await self._connect(place, reuse=repeatable)
        try:
            await self._exchange(origin, request, target, has_body=has_body)
        except _Stale:
            origin = await self._connect(place, reuse=False)
            await self._exchange(origin, request, target, has_body=has_body)
        self._keep(place, origin)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    # ---- connections to origins -----------------------------------------------------------------------

    async def _connect(self, place: tuple[str, int], *, reuse: bool) -> _Origin:
        """Return a connection to an origin; a kept one only if the request could be made again."""
        kept = self._origins.pop(place, None)
        if kept is not None:
            if reuse and kept.reusable:
                self._origins[place] = kept
                kept.reused, kept.heard = True, False
                return kept
            kept.stream.close()
        forwarder = self._forwarder
        try:
            stream = await ChannelStream.open(
                lambda endpoint: forwarder.open_forward(Destination(*place), endpoint)
            )
        except NetworkError as error:
            if not (isinstance(error, ForwardRefused) and error.reason == numbers.SPLIT_TUNNEL):
                forwarder.forward_failed()
            raise
        self._origins[place] = origin = _Origin(stream)
        return origin

    def _keep(self, place: tuple[str, int], origin: _Origin) -> None:
        if origin.http.our_state is h11.DONE and origin.http.their_state is h11.DONE:
            origin.http.start_next_cycle()
        if not origin.reusable:
            self._origins.pop(place).stream.close()
        elif len(self._origins) > MAX_KEPT:
            oldest = next(iter(self._origins))
            self._origins.pop(oldest).stream.close()

    # ---- one request and its response -----------------------------------------------------------------

    async def _exchange(
        self, origin: _Origin, request: h11.Request, target: RequestTarget, *, has_body: bool
    ) -> None:
        """Pass the request on and the response back, at the same time."""
        head = RequestHead(
            method=request.method.decode("ascii"),
            target=target,
            version="1.1",
            headers=tuple((bytes(name), bytes(value)) for name, value in request.headers),
            leftover=b"",
        )
        upload: asyncio.Task[None] | None = None
        try:
            await _send(
                origin, h11.Request(method=head.method, target=target.path, headers=head.origin_headers())
            )
            if has_body:
                upload = asyncio.create_task(self._upload(origin))
            else:
                if self._http.their_state is h11.SEND_BODY:
                    await _next_event(self._http, self)  # the end of a message without a body
                await _send(origin, h11.EndOfMessage())
            await self._download(origin, await self._response_in_time(origin, upload))
        except (NetworkError, h11.RemoteProtocolError) as error:
            if origin.reused and not origin.heard:
                raise _Stale from error
            raise
        finally:
            if upload is not None:
                await _cancel(upload)

    async def _upload(self, origin: _Origin) -> None:
        """Pass a request's body on. An origin that hears no more may still have answered."""
        try:
            while True:
                event = await _next_event(self._http, self)
                if isinstance(event, h11.Data):
                    await _send(origin, h11.Data(data=bytes(event.data)))
                elif isinstance(event, h11.EndOfMessage):
                    await _send(origin, h11.EndOfMessage(headers=event.headers))
                    return
        except h11.ProtocolError:
            self.abort()  # the application broke off, or sends what is no body: the origin is not told lies
        except NetworkError:
            return

    async def _response_in_time(self, origin: _Origin, upload: asyncio.Task[None] | None) -> h11.Response:
        """Return the response's head; its time runs from the end of the request."""
        head = asyncio.create_task(self._response_head(origin))
        try:
            if upload is not None:
                await asyncio.wait((head, upload), return_when=asyncio.FIRST_COMPLETED)
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                return await head
        except TimeoutError as error:
            raise NetworkError(f"no response within {RESPONSE_TIMEOUT:g} s") from error
        finally:
            await _cancel(head)

    async def _response_head(self, origin: _Origin) -> h11.Response:
        """Return the final response's head, passing on the interim ones."""
        while True:
            event = await _next_event(origin.http, origin.stream)
            if not isinstance(event, h11.Response | h11.InformationalResponse):
                raise NetworkError("the origin closed the connection without an answer")
            origin.heard = True
            if isinstance(event, h11.Response):
                return event
            if self._http.their_http_version == b"1.1":
                await self._send_local(
                    h11.InformationalResponse(
                        status_code=event.status_code,
                        reason=bytes(event.reason),
                        headers=strip_hop_by_hop(list(event.headers)),
                    )
                )

    async def _download(self, origin: _Origin, response: h11.Response) -> None:
        headers = strip_hop_by_hop(list(response.headers))
        if any(name == b"transfer-encoding" for name, _ in response.headers):
            headers = [(name, value) for name, value in headers if name != b"content-length"]
        self._answered = True
        await self._send_local(
            h11.Response(status_code=response.status_code, reason=bytes(response.reason), headers=headers)
        )
        while True:
            event = await _next_event(origin.http, origin.stream)
            if isinstance(event, h11.Data):
                await self._send_local(h11.Data(data=bytes(event.data)))
            elif isinstance(event, h11.EndOfMessage):
                await self._send_local(h11.EndOfMessage(headers=event.headers))
                return

    async def _send_local(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            await self.write(data)


async def _next_event(
    http: h11.Connection, stream: ByteStream
) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
    """Return what comes next, reading as far as it takes."""
    while (event := http.next_event()) is h11.NEED_DATA:
        http.receive_data(await stream.read())
    return event


async def _send(origin: _Origin, event: h11.Event) -> None:
    data = origin.http.send(event)
    if data:
        await origin.stream.write(data)


def _has_body(request: h11.Request) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and int(value) > 0)
        for name, value in request.headers
    )


async def _cancel(task: asyncio.Task[T]) -> None:
    """End a task and wait until it is over, whatever came of it."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
