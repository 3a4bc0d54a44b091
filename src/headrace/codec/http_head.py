"""Heads of HTTP/1 messages, as a proxy reads and rewrites them (RFC 9112, client spec §2.3).

llhttp parses, strictly; this module bounds heads, says what frames the body that follows, keeps back what is
the connection's own, and sorts requests into the three shapes there are:

    connect     CONNECT host:port             a tunnel through the tunnel
    absolute    GET http://host/path          to be forwarded
    origin      GET /path                     for the proxy itself

A message that two readers could take for different ones is refused: with two lengths, or a length and chunks,
with bare line feeds, folded lines, control characters.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import httptools

from headrace.base.errors import RemoteProtocolError

__all__ = [
    "HOP_BY_HOP",
    "MAX_HEAD",
    "Fields",
    "RequestHead",
    "RequestTarget",
    "ResponseHead",
    "head_end",
    "parse_request",
    "parse_response",
    "parse_target",
]

MAX_HEAD: Final = 64 * 1024  # bytes
_BLANK_LINE: Final = b"\r\n\r\n"

HOP_BY_HOP: Final = frozenset(
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
#: What frames a message, or names its receiver, is not the connection's to take away.
_KEPT: Final = frozenset((b"host", b"content-length"))
_LOOKED_AT: Final = HOP_BY_HOP | _KEPT

_ABSOLUTE: Final = re.compile(rb"http://(?:[^/?#@]*@)?([^/?#@]+)((?:[/?][^#]*)?)(?:#.*)?", re.IGNORECASE)
_AUTHORITY: Final = re.compile(rb"(?:\[([^\[\]@]+)\]|([^:\[\]@]+))(?::([0-9]{0,5}))?")


@dataclass(slots=True)
class Fields:
    """A head's fields: those to pass on, and what the others meant.

    `length` is None where nothing says it; the `tokens` of Connection are in lower case, `authorization` is
    Proxy-Authorization's value.
    """

    end_to_end: list[tuple[bytes, bytes]]
    length: int | None = None
    chunked: bool = False
    tokens: frozenset[bytes] = frozenset()
    host: bytes | None = None
    authorization: bytes = b""

    def encode(self) -> bytes:
        """Return the lines of what is passed on."""
        return b"".join([b"%b: %b\r\n" % field for field in self.end_to_end])


@dataclass(slots=True)
class RequestTarget:
    """Where a request goes; `path` is what an origin server is asked for, `authority` what its Host says.

    In origin form `host` and `authority` are empty and `port` is 0.
    """

    form: Literal["connect", "absolute", "origin"]
    host: str
    port: int
    path: bytes
    authority: bytes = b""


@dataclass(slots=True)
class RequestHead:
    """One parsed head of a request; `version` is "1.0" or "1.1"."""

    method: bytes
    target: RequestTarget
    version: str
    fields: Fields

    @property
    def persistent(self) -> bool:
        """Whether the application would keep the connection."""
        return _persistent(self.version, self.fields)

    def onward(self) -> bytes:
        """Return the head for the origin: Host rewritten, nothing hop-by-hop, framed as it was."""
        fields, target = self.fields, self.target
        framing = b"Transfer-Encoding: chunked\r\n\r\n" if fields.chunked else b"\r\n"
        line = b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (self.method, target.path, target.authority)
        return line + fields.encode() + framing


@dataclass(slots=True)
class ResponseHead:
    """One parsed head of a response."""

    status: int
    reason: bytes
    version: str
    fields: Fields

    @property
    def persistent(self) -> bool:
        """Whether the origin would keep the connection."""
        return _persistent(self.version, self.fields)

    def onward(self, extra: bytes) -> bytes:
        """Return the head for the application, with lines of our own about connection and framing."""
        return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (self.status, self.reason, self.fields.encode(), extra)


def _persistent(version: str, fields: Fields) -> bool:
    return b"close" not in fields.tokens if version == "1.1" else b"keep-alive" in fields.tokens


def head_end(buffer: bytes) -> int:
    """Return where the head at the start of `buffer` ends, 0 if more is needed.

    One empty line before it counts as part of it. Raises RemoteProtocolError if it is larger than MAX_HEAD.
    """
    end = buffer.find(_BLANK_LINE, 2 if buffer.startswith(b"\r\n") else 0, MAX_HEAD)
    if end < 0 and len(buffer) >= MAX_HEAD:
        raise RemoteProtocolError(f"HTTP head above {MAX_HEAD} bytes")
    return end + len(_BLANK_LINE) if end >= 0 else 0


def parse_request(head: bytes) -> RequestHead:
    """Parse a whole head. Raises RemoteProtocolError."""
    found = _Found()
    parser = httptools.HttpRequestParser(found)
    version = _feed(parser, head, found)
    method = parser.get_method()
    fields = _sort(found.fields)
    if version == "1.0" and fields.chunked:
        raise RemoteProtocolError("HTTP/1.0 request in chunks")
    return RequestHead(method, parse_target(method, found.line), version, fields)


def parse_response(head: bytes) -> ResponseHead:
    """Parse a whole head. Raises RemoteProtocolError.

    Unlike a request, it may have a length beside its chunks; that is dropped, so that nobody has to choose,
    and the connection is not believed after it.
    """
    found = _Found()
    parser = httptools.HttpResponseParser(found)
    parser.set_dangerous_leniencies(lenient_chunked_length=True)
    version = _feed(parser, head, found)
    fields = _sort(found.fields)
    if fields.chunked and fields.length is not None:
        fields.end_to_end = [field for field in fields.end_to_end if field[0].lower() != b"content-length"]
        fields.tokens |= {b"close"}
    return ResponseHead(parser.get_status_code(), found.line, version, fields)


def parse_target(method: bytes, target: bytes) -> RequestTarget:
    """Sort a request target into its form. Raises RemoteProtocolError."""
    if method == b"CONNECT":
        return RequestTarget("connect", *_split_authority(target, None), b"")
    if target.startswith(b"/") or target == b"*":
        return RequestTarget("origin", "", 0, target)
    url = _ABSOLUTE.fullmatch(target)
    if url is None:
        raise RemoteProtocolError("HTTP target is neither a path nor an http:// URL")
    authority, path = url.groups()
    if not path.startswith(b"/"):
        path = b"*" if method == b"OPTIONS" and not path else b"/" + path
    return RequestTarget("absolute", *_split_authority(authority, 80), path, authority)


# ---- the parser's side


class _Found:
    """What the parser found."""

    __slots__ = ("complete", "fields", "line")

    def __init__(self) -> None:
        self.line = b""  # the target, or the reason
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.line = url

    def on_status(self, reason: bytes) -> None:
        self.line = reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.rstrip()))

    def on_headers_complete(self) -> None:
        self.complete = True


def _feed(
    parser: httptools.HttpRequestParser | httptools.HttpResponseParser, head: bytes, found: _Found
) -> str:
    """Parse; return the version."""
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # CONNECT, or something we shall not pass on
    except httptools.HttpParserError as error:
        raise RemoteProtocolError(f"HTTP head: {error}") from error
    version = parser.get_http_version()
    if not found.complete or version not in ("1.0", "1.1"):
        raise RemoteProtocolError("HTTP head: not of HTTP/1")
    return version


def _sort(fields: Sequence[tuple[bytes, bytes]]) -> Fields:
    sorted_ = Fields([])
    keep = sorted_.end_to_end.append
    for field in fields:
        name, value = field[0].lower(), field[1]
        if name not in _LOOKED_AT:
            keep(field)
        elif name == b"content-length":
            sorted_.length = int(value)  # digits: the parser has seen to that
            keep(field)
        elif name in (b"connection", b"proxy-connection"):
            sorted_.tokens |= {token.strip() for token in value.lower().split(b",")}
        elif name == b"host":
            if sorted_.host is not None:
                raise RemoteProtocolError("HTTP head: two hosts")
            sorted_.host = value
        elif name == b"transfer-encoding":
            if value.lower() != b"chunked":
                raise RemoteProtocolError("HTTP head: a transfer coding that is not known here")
            sorted_.chunked = True
        elif name == b"proxy-authorization":
            sorted_.authorization = value
    if dropped := sorted_.tokens - _LOOKED_AT - {b"close"}:
        sorted_.end_to_end = [field for field in sorted_.end_to_end if field[0].lower() not in dropped]
    return sorted_


def _split_authority(text: bytes, default_port: int | None) -> tuple[str, int]:
    """Split `host:port` or `[IPv6]:port`."""
    if match := _AUTHORITY.fullmatch(text):
        bracketed, host, digits = match.groups()
        port = int(digits) if digits else default_port
        if port is not None and 0 < port <= 0xFFFF:
            return (bracketed or host).decode("latin-1"), port
    raise RemoteProtocolError("HTTP target without a usable host and port")
