"""The client's half of the obfuscation layer (tunnel spec §2 and §3).

    with a prefix     write `opening` ──> receive: 24 bytes ──> search the terminator ──> ready
    framed            write `opening` ──> receive: a head ──> terminator in its body ───> ready
    without           write `opening` ──────────────────────────────────────────────────> ready

Everything is drawn and derived when the object is made, so that it is done before the network is waited
for.
"""

from headrace.base.errors import LocalProtocolError, RemoteProtocolError
from headrace.base.rng import Rng
from headrace.crypto import Rc4, derive_key
from headrace.obfuscation.framing import Deframer, frame
from headrace.obfuscation.preamble import (
    CLIENT_TO_SERVER,
    HEAD_SIZE,
    MAX_PADDING,
    MAX_SEARCH,
    MIN_CLIENT_PADDING,
    SEED_SIZE,
    SERVER_TO_CLIENT,
    TERMINATOR_SIZE,
    TerminatorSearch,
    prefix_end,
    prefix_header,
    seed_message_fields,
    terminator,
)
from headrace.obfuscation.prefix import ClientPrefix
from headrace.obfuscation.veil import Veil

__all__ = ["ClientObfuscator"]

_END_OF_HEAD = b"\r\n\r\n"


class ClientObfuscator:
    """Makes the preamble, then skips the prefix a server answers with.

    `keyword` is the server's obfuscation key as raw text. There are `padding` bytes of padding; None
    draws their number from the field's range. `shape` draws the padding lengths of later packets, and nothing
    else, so that a replayed dial can have the same ones. Raises LocalProtocolError when the padding is not
    within 0 and 8,192 bytes, or a framed prefix is less than 24.
    """

    def __init__(
        self,
        keyword: bytes,
        rng: Rng,
        *,
        padding: int | None = None,
        prefix: ClientPrefix | None = None,
        shape: Rng | None = None,
    ) -> None:
        if padding is not None and not 0 <= padding <= MAX_PADDING:
            raise LocalProtocolError(f"client padding must lie within 0 and {MAX_PADDING} bytes")
        seed, to_server = _seed_and_stream(keyword, rng)
        length = rng.between(MIN_CLIENT_PADDING, MAX_PADDING) if padding is None else padding
        clear = seed_message_fields(rng.bytes(length))
        segments = []
        lead = b""
        if prefix is not None:
            if prefix.framed and len(prefix.data) < HEAD_SIZE:
                raise LocalProtocolError(f"a framed prefix has at least {HEAD_SIZE} bytes")
            clear += prefix_header(prefix.name, framed=prefix.framed)
            segments.append(prefix.data)
            lead = prefix_end(prefix.data, keyword, CLIENT_TO_SERVER, rng)
        message = lead + seed + to_server.update(clear)
        framed = prefix is not None and prefix.framed
        segments.append(frame([message]) if framed else message)
        if prefix is not None and prefix.joined:
            segments = [b"".join(segments)]

        self.padding_length = length
        #: The segments to write, in order, `opening_delay` seconds apart.
        self.opening: list[bytes] = [segment for segment in segments if segment]
        self.opening_delay = prefix.split_delay if prefix is not None else 0.0
        #: True once what the server sends is its obfuscated stream.
        self.ready = prefix is None
        self.veil = Veil(to_server, Rc4(derive_key(seed, keyword, SERVER_TO_CLIENT)), shape or rng)
        #: Takes the server's frames apart once we are ready; None if nothing is framed.
        self.framing = Deframer() if framed else None

        self._keyword = keyword
        self._head = bytearray()
        self._search: TerminatorSearch | _FramedAnswer | None = None

    def receive(self, data: bytes) -> bytes | None:
        """Take what the server sent; return its obfuscated bytes, for `veil.reveal`, once they begin.

        None means that the server's prefix is not over yet. Raises RemoteProtocolError when it does not end
        within 65,536 bytes, or is not framed as it should be: whoever answers does not have our key.
        """
        if self.ready:
            return data if self.framing is None else self.framing.receive(data)
        if self._search is None:
            self._head += data
            if len(self._head) < HEAD_SIZE:
                return None
            head, data = bytes(self._head[:HEAD_SIZE]), bytes(self._head[HEAD_SIZE:])
            if self.framing is None:
                self._search = TerminatorSearch(self._keyword, head, SERVER_TO_CLIENT)
            else:
                self._search = _FramedAnswer(self.framing, self._keyword, head)
        leftover = self._search.feed(data)
        self.ready = leftover is not None
        return leftover


class _FramedAnswer:
    """Skips a server's head; the terminator is what its body begins with."""

    def __init__(self, framing: Deframer, keyword: bytes, head: bytes) -> None:
        self._framing = framing
        self._wanted = terminator(keyword, head, SERVER_TO_CLIENT)
        self._head: bytearray | None = bytearray(head)
        self._body = b""

    def feed(self, data: bytes) -> bytes | None:
        """Return what the frames hold behind the terminator once it has come, None before."""
        if self._head is not None:
            looked_at = len(self._head)
            self._head += data
            end = self._head.find(_END_OF_HEAD, max(0, looked_at - len(_END_OF_HEAD)))
            if end < 0:
                if len(self._head) >= HEAD_SIZE + MAX_SEARCH:
                    raise RemoteProtocolError("an answer's head without an end")
                return None
            data = bytes(self._head[end + len(_END_OF_HEAD) :])
            self._head = None
        self._body += self._framing.receive(data)
        if len(self._body) < TERMINATOR_SIZE:
            return None
        if not self._body.startswith(self._wanted):
            raise RemoteProtocolError("no prefix terminator")
        return self._body[TERMINATOR_SIZE:]


def _seed_and_stream(keyword: bytes, rng: Rng) -> tuple[bytes, Rc4]:
    """Draw the seed and start the stream towards the server.

    RC4's second keystream byte is zero twice as often as it should be, and it enciphers a byte of the fixed
    magic: over many connections the value of that byte would stand out at offset 17. Dropping every other
    seed with that property brings it back to its fair share.
    """
    while True:
        seed = rng.bytes(SEED_SIZE)
        key = derive_key(seed, keyword, CLIENT_TO_SERVER)
        if Rc4(key).update(b"\0\0")[1] != 0 or rng.chance(0.5):
            return seed, Rc4(key)
