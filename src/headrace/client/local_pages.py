"""What the HTTP proxy answers itself: requests in origin form, on a connection that `local_http` hands over.

    /, /proxy.pac, /wpad.dat     pages of its own
    /tunneled/, /direct/, ...    the URL proxy

One request after the other. None of it is for web pages: see `own_site`. Where there is a password, the URL
proxy asks for it as origins do: that is what programs understand which know no proxies.
"""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

import h11

from headrace.base.errors import DocumentError, HeadraceError, RemoteProtocolError
from headrace.client.forward_stream import ForwardFailed
from headrace.client.local_connection import PortForwarder
from headrace.client.own_pages import own_page
from headrace.client.own_site import OwnSite
from headrace.client.proxy_options import ProxyOptions
from headrace.client.url_answer import Answer
from headrace.client.url_paths import Asked
from headrace.client.url_proxy import UrlProxy, UrlRequest
from headrace.codec.http_basic import basic_credentials
from headrace.codec.http_head import MAX_HEAD
from headrace.net.streams import SocketStream
from headrace.ssh.forwarding import Failure

__all__ = ["LocalPages"]

#: Seconds for the next request on a connection, and for an application to take its last response.
IDLE: Final = 60.0
LAST_LOOK: Final = 1.0

_STATUSES: Final = {Failure.TIMED_OUT: 504, Failure.FORBIDDEN: 403, Failure.NO_TUNNEL: 503}
_FRAMING: Final = (b"content-length", b"transfer-encoding")
#: Where a program may say who it is: to a proxy, or to what it takes for the origin.
_WHO: Final = (b"proxy-authorization", b"authorization")
_TEXT: Final = "text/plain; charset=utf-8"


class _Refused(Exception):
    """The request gets this status, and a sentence."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class LocalPages(SocketStream):
    """An application's connection from its first request for the proxy itself on."""

    def __init__(self, forwarder: PortForwarder, options: ProxyOptions) -> None:
        super().__init__()
        self._options = options
        self._urls = UrlProxy(forwarder, options.trust)
        self._http = h11.Connection(h11.SERVER, MAX_HEAD)
        self._here: object = None  # the socket's own name
        self._head_only = False
        self._answered = False  # some of the answer to the current request is out
        self._task: asyncio.Task[None] | None = None

    def take_over(self, transport: asyncio.BaseTransport, buffered: bytes) -> None:
        """Go on with a connection of which `buffered` was read, the first request and what came with it."""
        self.connection_made(transport)
        self._here = transport.get_extra_info("sockname")
        self._http.receive_data(buffered)
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
            self.abort()  # nobody may take what is out for all of it
        finally:
            self.close()
            await self._urls.close()

    async def _serve_one(self) -> bool:
        """Answer one request; return whether another may follow."""
        try:
            async with asyncio.timeout(IDLE):
                request = await self._next_event()
        except TimeoutError:
            return False
        except h11.RemoteProtocolError:
            await self._say(400, "This is no HTTP request.")
            return False
        if not isinstance(request, h11.Request) or not request.target.startswith(b"/"):
            # The application has gone, or means the proxy's other half now: to it this looks like a kept
            # connection that timed out, and it asks again on a new one.
            return False
        self._head_only = request.method == b"HEAD"
        try:
            await self._answer(request)
        except (_Refused, HeadraceError) as error:
            if self._answered:
                raise
            await self._say(_status_of(error), _sentence(error))
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _answer(self, request: h11.Request) -> None:
        body = await self._body_of(request)
        try:
            site = OwnSite.of(request.headers, self._here)
        except RemoteProtocolError as error:
            raise _Refused(403, str(error)) from error
        target = request.target.decode("ascii")
        asked = Asked.parse(target)
        if asked is not None:
            await self._ask(asked, site, request, body)
        elif request.method not in (b"GET", b"HEAD"):
            raise _Refused(405, "this can only be read")
        elif site is None:
            raise _Refused(404, "there are no pages on a Unix socket")
        else:
            page = own_page(target.partition("?")[0], site, self._options.ports.get("Socks"))
            if page is None:
                raise _Refused(404, "there is no such page here")
            await self._say(200, page.text, page.kind)

    # ---- the URL proxy --------------------------------------------------------------------------------

    async def _ask(
        self, asked: Asked, site: OwnSite | None, request: h11.Request, body: AsyncIterator[bytes] | None
    ) -> None:
        if asked.direct and self._options.shared:
            raise _Refused(403, "this proxy is shared, so it goes nowhere past the tunnel")
        if asked.playlist and site is None:
            raise _Refused(404, "a playlist cannot lead back to a Unix socket")
        headers = self._admitted(request)
        onward = UrlRequest.of(asked, request.method.decode("ascii"), headers, body)
        async with self._urls.ask(asked, onward, site.url if site is not None else "") as answer:
            await self._pass_on(answer)

    def _admitted(self, request: h11.Request) -> list[tuple[bytes, bytes]]:
        """Return the headers without what was only to tell us who asks. Raises _Refused."""
        headers, credentials = list(request.headers), self._options.credentials
        if credentials is None:
            return headers
        for name in _WHO:
            for field in headers:
                if field[0] == name and (said := basic_credentials(field[1])) and credentials.match(*said):
                    headers.remove(field)
                    return headers
        raise _Refused(401, "this proxy wants to know its user's name and password")

    async def _body_of(self, request: h11.Request) -> AsyncIterator[bytes] | None:
        """Return the request's body, None if it has none."""
        framing = {name: value for name, value in request.headers if name in _FRAMING}
        if len(framing) > 1:
            raise _Refused(400, "it is not clear where the request ends")
        if framing.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in framing:
            await self._next_event()  # the end of the message
            return None
        return self._body()

    async def _body(self) -> AsyncIterator[bytes]:
        if self._http.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        try:
            while isinstance(event := await self._next_event(), h11.Data):
                yield bytes(event.data)
        except h11.RemoteProtocolError as error:
            raise RemoteProtocolError("the request's body is broken") from error

    async def _pass_on(self, answer: Answer) -> None:
        self._answered = True
        if answer.icy:  # until the end of the connection, as in HTTP/1.0
            lines = [
                b"ICY %d %b" % (answer.status, answer.reason),
                *map(b": ".join, answer.headers),
                b"",
                b"",
            ]
            await self.write(b"\r\n".join(lines))
            async for piece in answer.body:
                await self.write(piece)
            return
        await self._begin(answer.status, answer.reason, answer.headers)
        async for piece in answer.body:
            await self._send(h11.Data(data=piece))
        await self._send(h11.EndOfMessage())

    # ---- HTTP -----------------------------------------------------------------------------------------

    async def _say(self, status: int, text: str, kind: str = _TEXT) -> None:
        """Answer with a text of ours."""
        body = text.encode()
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"content-security-policy", b"sandbox"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if status == HTTPStatus.UNAUTHORIZED:
            headers.append((b"www-authenticate", b'Basic realm="headrace", charset="UTF-8"'))
        self._answered = True
        await self._begin(status, HTTPStatus(status).phrase.encode(), headers)
        if not self._head_only:
            await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())

    async def _begin(self, status: int, reason: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        if self._http.their_state is not h11.DONE:  # and nobody is going to read the rest
            headers = [*headers, (b"connection", b"close")]
        await self._send(h11.Response(status_code=status, reason=reason, headers=headers))

    async def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self.read())
        return event

    async def _send(self, event: h11.Event) -> None:
        if data := self._http.send(event):
            await self.write(data)


def _status_of(error: Exception) -> int:
    if isinstance(error, _Refused):
        return error.status
    if isinstance(error, DocumentError):
        return 400
    return _STATUSES.get(error.why if isinstance(error, ForwardFailed) else Failure.of_error(error), 502)


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}.\n"
