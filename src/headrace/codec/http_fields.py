"""The fields of an HTTP/1 head, sorted as llhttp finds them: what goes on, and what the others mean.

llhttp is strict about each of them, and about lengths; the rest that could be doubtful is refused here.
"""

from typing import Final

import httptools

from headrace.base.errors import RemoteProtocolError

__all__ = ["HOP_BY_HOP", "Fields"]

#: What is for one hop (RFC 9110 §7.6.1).
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
#: With what names the receiver and frames the message, which is written anew.
_OURS: Final = HOP_BY_HOP | {b"host", b"content-length"}


class Fields:
    """What `parse` found. It is the parser's protocol, too, which has methods that begin with `on_`."""

    __slots__ = ("_ours", "authorization", "chunked", "complete", "length", "lines", "start", "tokens")

    def __init__(self) -> None:
        self.start = b""  #: the target of a request, the reason of a response
        self.lines: list[bytes] = []  #: what is passed on, as it is
        self.length: int | None = None  #: what Content-Length says
        self.chunked = False
        self.tokens: frozenset[bytes] = frozenset()  #: of Connection, in lower case
        self.authorization = b""  #: what Proxy-Authorization says
        self.complete = False
        self._ours: list[tuple[bytes, bytes]] = []

    @property
    def framing(self) -> bytes:
        """The line that says where the body ends, in one way only; empty if nothing does."""
        if self.chunked:
            return b"Transfer-Encoding: chunked\r\n"
        return b"" if self.length is None else b"Content-Length: %d\r\n" % self.length

    def parse(self, parser: httptools.HttpRequestParser | httptools.HttpResponseParser, head: bytes) -> str:
        """Parse a whole head; return its version, "1.0" or "1.1". Raises RemoteProtocolError."""
        try:
            parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            pass  # CONNECT, or something that is not passed on
        except httptools.HttpParserError as error:
            raise RemoteProtocolError(f"HTTP head: {error}") from error
        version = parser.get_http_version()
        if not self.complete or version not in ("1.0", "1.1"):
            raise RemoteProtocolError("HTTP head: not of HTTP/1")
        self._understand()
        return version

    def on_url(self, url: bytes) -> None:
        self.start = url

    def on_status(self, reason: bytes) -> None:
        self.start = reason

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.lower()
        if key in _OURS:
            self._ours.append((key, value.rstrip()))
        else:
            self.lines.append(b"%b: %b\r\n" % (name, value))

    def on_headers_complete(self) -> None:
        self.complete = True

    def _understand(self) -> None:
        hosts = 0
        for name, value in self._ours:
            if name == b"content-length":
                self.length = int(value)  # digits, and once: the parser has seen to that
            elif name in (b"connection", b"proxy-connection"):
                self.tokens |= {token.strip() for token in value.lower().split(b",")}
            elif name == b"host":
                hosts += 1
            elif name == b"transfer-encoding":
                if value.lower() != b"chunked":
                    raise RemoteProtocolError("HTTP head: a transfer coding that is not known here")
                self.chunked = True
            elif name == b"proxy-authorization":
                self.authorization = value
        if hosts > 1:
            raise RemoteProtocolError("HTTP head: two hosts")
        if named := self.tokens - _OURS:
            self.lines = [line for line in self.lines if line.partition(b":")[0].lower() not in named]
