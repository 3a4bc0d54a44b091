"""The URL proxy: origins behind paths of the HTTP proxy, for programs that know none (client spec §2.4).

    GET /tunneled/https%3A%2F%2Fa.example%2Fvideo ──► GET https://a.example/video, through the tunnel

Redirections are followed here, so that nobody is led past the tunnel. The certificates of origins are
verified, always.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from headrace.base.errors import OperatorError, RemoteProtocolError
from headrace.client.forward_stream import ForwardFailed, open_stream
from headrace.client.icy import IcyConnector
from headrace.client.local_connection import OPEN_TIMEOUT, PortForwarder
from headrace.client.url_answer import Answer, answer_of
from headrace.client.url_paths import Asked
from headrace.codec.hop_by_hop import end_to_end
from headrace.net.http import REDIRECTS, HttpClient, redirected, split_url
from headrace.net.streams import ByteStream
from headrace.net.tls import Trust
from headrace.ssh.forwarding import Destination, Failure

if TYPE_CHECKING:
    import httpx

__all__ = ["UrlProxy", "UrlRequest"]

MAX_REDIRECTS: Final = 10
#: Seconds to connect and to get the head of the response, once the request is out.
RESPONSE_TIMEOUT: Final = OPEN_TIMEOUT + 15.0

#: Not the origin's business: who asks the proxy, and from which page of its own.
_OURS: Final = (b"host", b"expect", b"origin", b"referer")
#: For the origin that was asked, not for those that it leads to.
_PERSONAL: Final = (b"authorization", b"cookie")


@dataclass(frozen=True, slots=True)
class UrlRequest:
    """What an origin is asked; `body` is None if there is none."""

    method: str
    url: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: AsyncIterator[bytes] | None

    @classmethod
    def of(
        cls,
        asked: Asked,
        method: str,
        headers: Iterable[tuple[bytes, bytes]],
        body: AsyncIterator[bytes] | None,
    ) -> Self:
        """Return what an application's request means for the origin."""
        # A playlist that is packed in a way we do not know could not be rewritten.
        unwanted = (*_OURS, b"accept-encoding") if asked.playlist else _OURS
        kept = tuple(field for field in end_to_end(headers) if field[0] not in unwanted)
        return cls(method, asked.url, kept, body)

    def onward(self, status: int, location: str | None) -> Self | None:
        """Return what to ask next after such a response, None if it is the last.

        A request whose body is gone cannot be made again. Raises RemoteProtocolError.
        """
        again = status in (307, 308)
        if status not in REDIRECTS or location is None or (again and self.body is not None):
            return None
        url = redirected(self.url, location)
        headers = self.headers
        if split_url(url).origin != split_url(self.url).origin:
            headers = tuple(field for field in headers if field[0] not in _PERSONAL)
        if again or self.method in ("GET", "HEAD"):
            return replace(self, url=url, headers=headers)
        headers = tuple(field for field in headers if not field[0].startswith(b"content-"))
        return replace(self, method="GET", url=url, headers=headers, body=None)

    def combined_headers(self) -> dict[str, str]:
        """Return the headers with those of one name in one (RFC 9110 §5.3)."""
        combined: dict[str, str] = {}
        for raw_name, raw_value in self.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            mark = "; " if name == "cookie" else ", "
            combined[name] = f"{combined[name]}{mark}{value}" if name in combined else value
        return combined


class UrlProxy:
    """Asks origins for one application. Connections to them are kept until `close`."""

    def __init__(self, forwarder: PortForwarder, trust: Trust) -> None:
        self._trust = trust
        self._tunneled = partial(_connect, forwarder)
        self._through = HttpClient(self._tunneled, trust)
        self._past = HttpClient(forwarder.connect_directly, trust)

    async def close(self) -> None:
        """Close the connections to origins."""
        await self._through.close()
        await self._past.close()

    @asynccontextmanager
    async def ask(self, asked: Asked, request: UrlRequest, site: str) -> AsyncIterator[Answer]:
        """Ask the origin, and those it leads to; give the answer, to be read inside the block.

        `site` is where this proxy is, `http://host:port`. Raises HeadraceError, whose text is for people.
        """
        for _ in range(1 + MAX_REDIRECTS):
            if split_url(request.url).secure and not self._trust.verifies:
                raise OperatorError("there is nothing to verify the origin's certificate against")
            async with AsyncExitStack() as stack:
                client = self._past if asked.direct else self._through
                icy = None
                if asked.icy:
                    icy = IcyConnector(self._tunneled)
                    client = await stack.enter_async_context(HttpClient(icy, self._trust))
                response = await _respond(stack, client, request)
                onward = request.onward(response.status_code, response.headers.get("location"))
                if onward is None:
                    spoken = icy is not None and icy.spoken
                    yield await answer_of(response, request.method, request.url, asked, site, icy=spoken)
                    return
            request = onward
        raise RemoteProtocolError("the origin redirects again and again")


async def _respond(stack: AsyncExitStack, client: HttpClient, request: UrlRequest) -> "httpx.Response":
    """Return the response's head. Its time runs from the end of the request."""
    try:
        async with asyncio.timeout(RESPONSE_TIMEOUT if request.body is None else None) as limit:
            content = None if request.body is None else _until_sent(request.body, limit)
            headers = request.combined_headers()
            asking = client.request(request.method, request.url, headers, content=content, follow=False)
            return await stack.enter_async_context(asking)
    except TimeoutError as error:
        raise ForwardFailed(Failure.TIMED_OUT) from error


async def _until_sent(body: AsyncIterator[bytes], limit: asyncio.Timeout) -> AsyncIterator[bytes]:
    async for piece in body:
        yield piece
    limit.reschedule(asyncio.get_running_loop().time() + RESPONSE_TIMEOUT)


async def _connect(forwarder: PortForwarder, host: str, port: int, timeout: float) -> ByteStream:
    return await open_stream(forwarder, Destination(host, port), min(timeout, OPEN_TIMEOUT))
