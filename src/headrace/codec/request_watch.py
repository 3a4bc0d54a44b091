"""Is this an HTTP/1 request, and is it all there? Told from the bytes as they arrive, however they are cut.

    UNCLEAR ──► NO_REQUEST
       └──► UNFINISHED ──► WHOLE

Nothing is made of a request here: it will be somebody else's to answer, who may find it as bad as it is. So
whatever has the form of a head counts, bare line feeds and unheard-of methods as well. What decides is only
how much has come and how it is framed; nothing else about it.
"""

import enum
import re
from typing import Final

from headrace.base.errors import RemoteProtocolError
from headrace.codec.http_body import Body, ByLength, Chunked

__all__ = ["MAX_BEHIND", "MAX_HEAD", "RequestWatch", "Sight"]

#: Bytes of a head: as many as common web servers take.
MAX_HEAD: Final = 32 * 1024
#: Bytes behind a head after which a request counts as whole, be its body as long as it may.
MAX_BEHIND: Final = 16 * 1024

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_LINE: Final = rb"%b{1,32} [^\0-\x20\x7f]+ HTTP/[0-9]\.[0-9]\r?\n" % _TOKEN
_REQUEST_LINE: Final = re.compile(_LINE)
_HEAD: Final = re.compile(rb"%b(?:%b+:[^\0\r\n]*\r?\n)*\r?\n" % (_LINE, _TOKEN))
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
_FIELD: Final = re.compile(rb"^(content-length|transfer-encoding|expect):([^\r\n]*)", re.I | re.M)
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
#: What a request line may be cut to.
_BEGINNING: Final = re.compile(rb"%b{1,32}(?: (?:[^\0-\x20\x7f]+(?: [HTP/.0-9]{0,8}\r?)?)?)?" % _TOKEN)
_EXAMINED: Final = 64  # bytes of one that does not end yet
#: How a further request begins; 24 random bytes do in one of a billion cases.
_FURTHER: Final = re.compile(rb"(?:\r?\n)?[A-Z]{3,16} [/*h]")
_ENOUGH: Final = 24


class Sight(enum.Enum):
    """What has come so far."""

    UNCLEAR = "this may become a head"
    NO_REQUEST = "this is none, whatever follows"
    UNFINISHED = "a head, and more is on its way: its body, or what is no further request"
    WHOLE = "a request, and nothing that its answer would have to wait for"


class RequestWatch:
    """Looks at the start of a connection; `said` is all that came, while it may be a request."""

    __slots__ = ("_behind", "_body", "_following", "_sight", "said")

    def __init__(self) -> None:
        self.said = bytearray()
        self._sight = Sight.UNCLEAR
        self._body: Body | None = None  # None: where it ends cannot be told
        self._behind = 0  # bytes behind the head
        self._following = b""  # of these, the first that the request does not cover

    def receive(self, data: bytes) -> Sight:
        """Take what arrived. What is whole, or no request, stays that."""
        if not data or self._sight is Sight.NO_REQUEST:
            return self._sight
        known = len(self.said)
        self.said += data
        if self._sight is Sight.UNCLEAR:
            self._sight = self._look_at_head(known)
        elif self._sight is Sight.UNFINISHED:
            self._sight = self._look_behind(data)
        if self._sight is Sight.NO_REQUEST:
            self.said.clear()
        return self._sight

    def _look_at_head(self, known: int) -> Sight:
        """Look at what there is, of which so many bytes have been looked at before."""
        said = self.said
        if b"\n" not in said[:known]:
            line_ends = b"\n" in said[known:]
            if line_ends and not _REQUEST_LINE.match(said):
                return Sight.NO_REQUEST
            if not line_ends and known < _EXAMINED and not _BEGINNING.fullmatch(said[:_EXAMINED]):
                return Sight.NO_REQUEST
        blank = _BLANK_LINE.search(said, max(0, known - 2))
        if blank is None:
            return Sight.UNCLEAR if len(said) < MAX_HEAD else Sight.NO_REQUEST
        end = blank.end()
        match = _HEAD.match(said)
        if match is None or match.end() != end or end > MAX_HEAD:
            return Sight.NO_REQUEST
        fields = [(name.lower(), value.strip().lower()) for name, value in _FIELD.findall(said[:end])]
        if any(name == b"expect" for name, _ in fields):
            return Sight.WHOLE  # the client waits for a word
        body = self._body = _body(fields)
        return Sight.WHOLE if body is None else self._look_behind(bytes(said[end:]))

    def _look_behind(self, data: bytes) -> Sight:
        self._behind += len(data)
        body = self._body
        if body is not None:
            try:
                rest = data if body.done else data[len(body.take(memoryview(data))) :]
            except RemoteProtocolError:
                self._body = None
            else:
                self._following = (self._following + rest)[:_ENOUGH]
                if body.done and (not self._following or _FURTHER.match(self._following)):
                    return Sight.WHOLE
        return Sight.WHOLE if self._behind >= MAX_BEHIND else Sight.UNFINISHED


def _body(fields: list[tuple[bytes, bytes]]) -> Body | None:
    """Return the body that these fields announce; None if they are at odds, and no answer needs it."""
    if not fields:
        return ByLength(0)
    (name, value), *others = fields
    if others:
        return None
    if name == b"transfer-encoding":
        return Chunked() if value == b"chunked" else None
    return ByLength(int(value)) if _LENGTH.fullmatch(value) else None
