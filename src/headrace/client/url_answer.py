"""What of an origin's response goes to an application that asked the URL proxy (client spec §2.4).

Whatever leads on leads back to paths of ours: the URIs of a playlist, a redirection that was not followed.
All origins are one site to a browser: so none may set cookies or run scripts there.
"""

import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from headrace.base.errors import RemoteProtocolError
from headrace.client.url_paths import Asked, path_of
from headrace.codec.hls_playlist import rewrite_playlist
from headrace.codec.hop_by_hop import end_to_end
from headrace.net.http import redirected

if TYPE_CHECKING:
    import httpx

__all__ = ["MAX_PLAYLIST", "Answer", "answer_of"]

Headers = list[tuple[bytes, bytes]]

#: Bytes of a playlist, packed or not: a longer one is passed on as it is.
MAX_PLAYLIST: Final = 2 * 1024 * 1024
_PLAYLIST_TYPES: Final = frozenset(
    (
        "application/x-mpegurl",
        "application/vnd.apple.mpegurl",
        "vnd.apple.mpegurl",
        "audio/x-mpegurl",
        "audio/mpegurl",
    )
)
_GZIP: Final = ("gzip", "x-gzip")
_DROPPED: Final = frozenset((b"alt-svc", b"location", b"refresh", b"set-cookie", b"set-cookie2"))
#: Pages are shown, but are nobody's: they run no scripts and see nothing of each other.
_SANDBOX: Final = (b"content-security-policy", b"sandbox")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response for the application. Without a Content-Length its body ends where the pieces do."""

    status: int
    reason: bytes
    headers: Headers
    body: AsyncIterator[bytes]
    icy: bool  #: in SHOUTcast's manner


async def answer_of(
    response: "httpx.Response", method: str, url: str, asked: Asked, site: str, *, icy: bool
) -> Answer:
    """Return the application's answer to `method` at `url`; `site` is the proxy's own."""
    headers = _passed_on(response.headers.raw)
    location = response.headers.get("location")
    if location is not None:
        with suppress(RemoteProtocolError):
            headers.append((b"location", asked.again(redirected(url, location)).encode()))
    body = response.aiter_raw()
    if asked.playlist and method == "GET" and response.status_code == 200 and _is_playlist(response, url):
        headers, body = await _rewritten(headers, body, url, site)
    reason = response.extensions.get("reason_phrase", b"")
    return Answer(response.status_code, reason, [*headers, _SANDBOX], body, icy)


def _passed_on(raw: Headers) -> Headers:
    chunked = any(name.lower() == b"transfer-encoding" for name, _ in raw)
    dropped = _DROPPED | {b"content-length"} if chunked else _DROPPED
    return [field for field in end_to_end(raw) if field[0] not in dropped]


def _is_playlist(response: "httpx.Response", url: str) -> bool:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in _PLAYLIST_TYPES or urlsplit(url).path.lower().endswith(".m3u8")


async def _rewritten(
    headers: Headers, body: AsyncIterator[bytes], url: str, site: str
) -> tuple[Headers, AsyncIterator[bytes]]:
    """Return both for the playlist with its URIs replaced, or as they are if that cannot be done."""
    buffer = bytearray()
    async for piece in body:
        buffer += piece
        if len(buffer) > MAX_PLAYLIST:
            return headers, _pieces(bytes(buffer), body)
    data = bytes(buffer)
    plain = _unpacked(data, dict(headers).get(b"content-encoding", b"identity").decode("latin-1").lower())

    def lead(uri: str, playlist: bool) -> str:
        return site + path_of(uri, playlist=playlist)

    rewritten = rewrite_playlist(plain, url, lead) if plain is not None else None
    if rewritten is None:
        return headers, _pieces(data)
    replaced = (b"content-type", b"content-encoding", b"content-length")
    headers = [field for field in headers if field[0] not in replaced]
    headers.append((b"content-type", b"application/x-mpegurl"))
    headers.append((b"content-length", b"%d" % len(rewritten)))
    return headers, _pieces(rewritten)


async def _pieces(first: bytes, rest: AsyncIterator[bytes] | None = None) -> AsyncIterator[bytes]:
    yield first
    if rest is not None:
        async for piece in rest:
            yield piece


def _unpacked(data: bytes, encoding: str) -> bytes | None:
    """Return the plain bytes, None if that is too much or cannot be done."""
    if encoding not in _GZIP:
        return data if encoding == "identity" else None
    unpacker = zlib.decompressobj(wbits=31)  # with gzip's head
    try:
        plain = unpacker.decompress(data, MAX_PLAYLIST)
    except zlib.error:
        return None
    return plain if unpacker.eof else None
