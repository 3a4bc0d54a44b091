"""Heads of HTTP/1 messages, as a proxy reads and rewrites them (RFC 9112, client spec §2.3).

Requests come in three shapes:

    connect     CONNECT host:port             a tunnel through the tunnel
    absolute    GET http://host/path          to be forwarded
    origin      GET /path                     for the proxy itself

A message that two readers could take for different ones is refused: with two lengths, or a length and chunks,
with folded lines, control characters, bare line feeds. llhttp sees to most of that.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

import httptools

from headrace.base.errors import RemoteProtocolError
from headrace.codec.http_fields import Fields

__all__ = [
    "MAX_HEAD",
    "RequestHead",
    "RequestTarget",
    "ResponseHead",
    "head_end",
    "parse_request",
    "parse_response",
    "parse_target",
]

MAX_HEAD: Final = 64 * 1024  # bytes
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
_CONTROL: Final = re.compile(rb"[\0-\x08\x0a-\x1f\x7f]")

_ABSOLUTE: Final = re.compile(rb"http://(?:[^/?#@]*@)?([^/?#@]+)((?:[/?][^#]*)?)(?:#.*)?", re.IGNORECASE)
_AUTHORITY: Final = re.compile(rb"(?:\[([^\[\]@]+)\]|([^:\[\]@]+))(?::([0-9]{0,5}))?")


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
        target = self.target
        line = b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (self.method, target.path, target.authority)
        return b"".join((line, *self.fields.lines, self.fields.framing, b"\r\n"))


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

    def onward(self, ours: bytes) -> bytes:
        """Return the head for the application, with our own lines about framing and the connection."""
        line = b"HTTP/1.1 %d %b\r\n" % (self.status, self.reason)
        return b"".join((line, *self.fields.lines, ours, b"\r\n"))


def _persistent(version: str, fields: Fields) -> bool:
    return b"close" not in fields.tokens if version == "1.1" else b"keep-alive" in fields.tokens


def head_end(buffer: bytes) -> int:
    """Return where the head at the start of `buffer` ends, 0 if more is needed.

    One empty line before it counts as part of it. Raises RemoteProtocolError if it is larger than MAX_HEAD.
    """
    blank = _BLANK_LINE.search(buffer, 2 if buffer.startswith(b"\r\n") else 0, MAX_HEAD)
    if blank is None and len(buffer) >= MAX_HEAD:
        raise RemoteProtocolError(f"HTTP head above {MAX_HEAD} bytes")
    return blank.end() if blank else 0


def parse_request(head: bytes) -> RequestHead:
    """Parse a whole head. Raises RemoteProtocolError."""
    fields = Fields()
    parser = httptools.HttpRequestParser(fields)
    version = fields.parse(parser, head)
    if version == "1.0" and fields.chunked:
        raise RemoteProtocolError("HTTP/1.0 request in chunks")
    method = parser.get_method()
    return RequestHead(method, parse_target(method, fields.start), version, fields)


def parse_response(head: bytes) -> ResponseHead:
    """Parse a whole head. Raises RemoteProtocolError.

    Unlike a request, it may have bare line feeds, as old programs write them, which do not go on. It may have
    a length beside its chunks: then the chunks count, and the connection is not believed any more after it.
    """
    fields = Fields()
    parser = httptools.HttpResponseParser(fields)
    parser.set_dangerous_leniencies(lenient_chunked_length=True, lenient_optional_cr_before_lf=True)
    version = fields.parse(parser, head)
    if fields.chunked and fields.length is not None:
        fields.tokens |= {b"close"}
    status = parser.get_status_code()
    if status < 100 or _CONTROL.search(fields.start):
        raise RemoteProtocolError("HTTP status line that is none")
    return ResponseHead(status, fields.start, version, fields)


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


def _split_authority(text: bytes, default_port: int | None) -> tuple[str, int]:
    """Split `host:port` or `[IPv6]:port`."""
    if match := _AUTHORITY.fullmatch(text):
        bracketed, host, digits = match.groups()
        port = int(digits) if digits else default_port
        if port is not None and 0 < port <= 0xFFFF:
            return (bracketed or host).decode("latin-1"), port
    raise RemoteProtocolError("HTTP target without a usable host and port")
