"""The first request on a connection to the local HTTP proxy: what is wanted, and from whom.

h11 parses; this module bounds it and sorts requests into the three shapes of client spec §2.3:

    connect     CONNECT host:port             a tunnel through the tunnel
    absolute    GET http://host/path          to be forwarded
    origin      GET /path                     for the proxy itself
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import h11

from headrace.base.errors import RemoteProtocolError

__all__ = [
    "HOP_BY_HOP",
    "MAX_HEAD",
    "RequestHead",
    "RequestTarget",
    "parse_head",
    "parse_target",
    "strip_hop_by_hop",
]

MAX_HEAD = 64 * 1024  # bytes

Headers = Sequence[tuple[bytes, bytes]]
Form = Literal["connect", "absolute", "origin"]

HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"trailers",
        b"transfer-encoding",
        b"upgrade",
    )
)


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """Where a request goes; `path` is what an origin server is asked for.

    In origin form `host` is empty and `port` 0.
    """

    form: Form
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """`host` or `host:port` as a Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class RequestHead:
    """One parsed head. Header names are lower case; `leftover` are the bytes after the blank line."""

    method: str
    target: RequestTarget
    version: str
    headers: tuple[tuple[bytes, bytes], ...]
    leftover: bytes

    def origin_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers to send on to the origin: Host rewritten, nothing hop-by-hop.

        A chunked body stays chunked: framing belongs to the message even though its header is hop-by-hop.
        """
        chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        # One framing only: with both, origins disagree about where the message ends (RFC 9112 §6.3).
        ours = {b"host", b"content-length"} if chunked else {b"host"}
        headers = [(b"host", self.target.authority.encode())]
        headers += [(name, value) for name, value in strip_hop_by_hop(self.headers) if name not in ours]
        if chunked:
            headers.append((b"transfer-encoding", b"chunked"))
        return headers


def parse_head(buffer: bytes | bytearray) -> RequestHead | None:
    """Return the head at the start of `buffer`, or None when more bytes are needed.

    Raises RemoteProtocolError for what is no HTTP/1 request, or has a head above MAX_HEAD.
    """
    if not buffer:
        return None  # to h11 it would mean the end of the stream
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
    try:
        connection.receive_data(bytes(buffer))
        event = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise RemoteProtocolError(f"HTTP request: {error}") from error
    if event is h11.NEED_DATA:
        return None
    if not isinstance(event, h11.Request) or event.http_version not in (b"1.0", b"1.1"):
        raise RemoteProtocolError("HTTP request in a version that is not spoken here")
    leftover, _ = connection.trailing_data
    if len(buffer) - len(leftover) > MAX_HEAD:
        raise RemoteProtocolError(f"HTTP request head above {MAX_HEAD} bytes")
    method = event.method.decode("ascii")
    return RequestHead(
        method=method,
        target=parse_target(method, event.target),
        version=event.http_version.decode("ascii"),
        headers=tuple((bytes(name), bytes(value)) for name, value in event.headers),
        leftover=bytes(leftover),
    )


def parse_target(method: str, target: bytes) -> RequestTarget:
    """Sort a request target into its form. Raises RemoteProtocolError."""
    text = target.decode("latin-1")
    if method == "CONNECT":
        return RequestTarget("connect", *_split_authority(text, None), "")
    if text.startswith("/") or text == "*":
        return RequestTarget("origin", "", 0, text)
    try:
        url = urlsplit(text)
    except ValueError as error:
        raise RemoteProtocolError(f"HTTP target is not a URL: {error}") from error
    if url.scheme.lower() != "http":
        raise RemoteProtocolError("HTTP target is neither a path nor an http:// URL")
    authority = url.netloc.rpartition("@")[2]
    path = text.partition("://")[2][len(url.netloc) :].partition("#")[0]
    if not path.startswith("/"):
        path = "/" + path
    return RequestTarget("absolute", *_split_authority(authority, 80), path)


def strip_hop_by_hop(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return the headers to pass on (RFC 9110 §7.6.1): no HOP_BY_HOP, none that Connection names."""
    named = {
        token.strip().lower()
        for name, value in headers
        if name.lower() in (b"connection", b"proxy-connection")
        for token in value.split(b",")
    }
    # What frames the message or names its receiver is not the connection's to take away.
    dropped = HOP_BY_HOP | named - {b"host", b"content-length"}
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def _split_authority(text: str, default_port: int | None) -> tuple[str, int]:
    """Split `host:port` or `[IPv6]:port`."""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        valid = bool(bracket) and (not port or port.startswith(":"))
        port = port[1:]
    else:
        host, _, port = text.partition(":")
        valid = ":" not in port
    number = (
        int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else None if port else default_port
    )
    if not valid or not host or number is None or not 0 < number <= 0xFFFF:
        raise RemoteProtocolError("HTTP target without a usable host and port")
    return host, number
