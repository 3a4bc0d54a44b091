"""The client's half of the obfuscation layer (tunnel spec §2 and §3).

    with a prefix     write `opening` ──> receive: 24 bytes ──> search the terminator ──> ready
    without           write `opening` ──────────────────────────────────────────────────> ready

Everything is drawn and derived when the object is made, so that it is done before the network is waited
for.
"""

from headrace.base.errors import LocalProtocolError
from headrace.base.rng import Rng
from headrace.crypto import Rc4, derive_key
from headrace.obfuscation.preamble import (
    CLIENT_TO_SERVER,
    HEAD_SIZE,
    MAX_PADDING,
    MIN_CLIENT_PADDING,
    SEED_SIZE,
    SERVER_TO_CLIENT,
    TerminatorSearch,
    prefix_end,
    prefix_header,
    seed_message_fields,
)
from headrace.obfuscation.prefix import ClientPrefix
from headrace.obfuscation.veil import Veil

__all__ = ["ClientObfuscator"]


class ClientObfuscator:
    """Makes the preamble, then skips the prefix a server answers with.

    `keyword` is the server's obfuscation key as raw text. There are `padding` bytes of padding; None
    draws their number from the field's range. `shape` draws the padding lengths of later packets, and nothing
    else, so that a replayed dial can have the same ones. Raises LocalProtocolError when the padding is not
    within 0 and 8,192 bytes.
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
            clear += prefix_header(prefix.name)
            segments.append(prefix.data)
            lead = prefix_end(prefix.data, keyword, CLIENT_TO_SERVER, rng)
        segments.append(lead + seed + to_server.update(clear))

        self.padding_length = length
        #: The segments to write, in order, `opening_delay` seconds apart.
        self.opening: list[bytes] = [segment for segment in segments if segment]
        self.opening_delay = prefix.split_delay if prefix is not None else 0.0
        #: True once what the server sends is its obfuscated stream.
        self.ready = prefix is None
        self.veil = Veil(to_server, Rc4(derive_key(seed, keyword, SERVER_TO_CLIENT)), shape or rng)

        self._keyword = keyword
        self._head = b""
        self._search: TerminatorSearch | None = None

    def receive(self, data: bytes) -> bytes | None:
        """Take what the server sent; return its obfuscated bytes, for `veil.reveal`, once they begin.

        None means that the server's prefix is not over yet. Raises RemoteProtocolError when it does not end
        within 65,536 bytes: whoever answers does not have our key.
        """
        if self.ready:
            return data
        if self._search is None:
            self._head += data
            if len(self._head) < HEAD_SIZE:
                return None
            head, data = self._head[:HEAD_SIZE], self._head[HEAD_SIZE:]
            self._search = TerminatorSearch(self._keyword, head, SERVER_TO_CLIENT)
        leftover = self._search.feed(data)
        self.ready = leftover is not None
        return leftover


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
