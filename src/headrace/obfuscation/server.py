"""The server's half of the obfuscation layer (tunnel spec §2 and §3).

    HEAD ──magic──> seed history ──> padding length ──> PADDING ──┬─(no prefix)──────────────> accepted
     │ no magic                                                   └─> HEADER ──> NAME ────────> accepted
     └──> SEARCH ──terminator──> HEAD once more, where no magic means refusal

The order of the checks is part of the protocol: the padding length is not looked at before the magic is known
good, or its check could be used as an oracle; a seed is recorded only behind a good magic, so that strangers
cannot fill the history. A refusal is final, silent, and the same for every reason: whoever owns the socket
sends nothing and throws away what comes until its own time is up.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from headrace.base.errors import LocalProtocolError, RemoteProtocolError
from headrace.base.rng import Rng
from headrace.crypto import Rc4, derive_key
from headrace.obfuscation.framing import Deframer, frame
from headrace.obfuscation.padding_lines import padding_lines
from headrace.obfuscation.preamble import (
    CLIENT_TO_SERVER,
    FRAMED_VERSION,
    HEAD_SIZE,
    HEADER_FIXED_SIZE,
    HEADER_VERSION,
    MAGIC,
    MAX_NAME_SIZE,
    MAX_PADDING,
    MIN_SERVER_PADDING,
    PADDING_SEED_SIZE,
    SEED_SIZE,
    SERVER_TO_CLIENT,
    TerminatorSearch,
    prefix_end,
)
from headrace.obfuscation.prefix import PrefixSpecs
from headrace.obfuscation.veil import Veil

__all__ = ["Accepted", "Reject", "RejectReason", "ServerObfuscator"]


class RejectReason(enum.Enum):
    """Why a preamble was refused; for the operator's statistics, never for the peer."""

    NO_TERMINATOR = "neither a seed message nor a prefix"
    BAD_MAGIC = "no seed message behind the prefix"
    REPLAY = "seed seen before"
    BAD_PADDING_LENGTH = "padding length out of range"
    BAD_HEADER = "malformed prefix header"
    BAD_FRAMING = "malformed chunk behind the prefix header"


@dataclass(frozen=True, slots=True)
class Reject:
    """The peer is not a client of ours, or repeats one: answer nothing, read on, discard."""

    reason: RejectReason


@dataclass(frozen=True, slots=True)
class Accepted:
    """The preamble checked out.

    `leftover` are the obfuscated bytes that came behind it, for `veil.reveal`. `opening` are the segments to
    write first, `opening_delay` seconds apart; the identification follows through `veil.hide`. `prefix_name`
    is the spec as our own table calls it, "" for a prefix our table does not know, None without a prefix.
    `framing` takes what the client still sends apart, `leftover` already is; None if nothing is framed.
    `padding_prng_seed` are the first 32 bytes of the client's padding, None when it was shorter.
    """

    leftover: bytes
    opening: list[bytes]
    opening_delay: float
    veil: Veil
    framing: Deframer | None
    prefix_name: str | None
    padding_prng_seed: bytes | None
    padding_length: int


class ServerObfuscator:
    """Checks a client's preamble and makes the answer to it.

    `keyword` is the server's obfuscation key as raw text. `seen` records a seed and says whether it was there
    already. Our padding is uniform in the given range of bytes. An HTTP answer is dated `now`, in seconds
    since 1970. Raises LocalProtocolError when the range is not within 2 and 8,192.
    """

    def __init__(
        self,
        keyword: bytes,
        rng: Rng,
        seen: Callable[[bytes], bool],
        prefix_specs: PrefixSpecs,
        *,
        min_padding: int = MIN_SERVER_PADDING,
        max_padding: int = MAX_PADDING,
        now: float = 0.0,
    ) -> None:
        if not MIN_SERVER_PADDING <= min_padding <= max_padding <= MAX_PADDING:
            raise LocalProtocolError(
                f"server padding must lie within {MIN_SERVER_PADDING} and {MAX_PADDING} bytes"
            )
        self._keyword = keyword
        self._rng = rng
        self._seen = seen
        self._specs = prefix_specs
        self._padding_range = min_padding, max_padding
        self._now = now

        self._buffer = bytearray()
        self._wanted = HEAD_SIZE  # bytes that the next step takes
        self._step: Callable[[bytes], None] = self._on_head
        self._outcome: Accepted | Reject | None = None

        self._search: TerminatorSearch | None = None  # set as soon as this is no bare seed message
        self._seed = b""
        self._from_client: Rc4 | None = None
        self._padding = b""
        self._framed = False

    def receive(self, data: bytes) -> Accepted | Reject | None:
        """Take what the client sent; None means that more is needed to tell.

        After a Reject everything is swallowed and the same Reject returned. After Accepted the stream belongs
        to the veil: LocalProtocolError.
        """
        if isinstance(self._outcome, Accepted):
            raise LocalProtocolError("the preamble is over")
        if self._outcome is None:
            self._buffer += data
            while self._outcome is None and len(self._buffer) >= self._wanted:
                self._step(self._take(self._wanted))
        return self._outcome

    # ---- steps, each handed exactly the bytes it waited for

    def _on_head(self, head: bytes) -> None:
        seed = head[:SEED_SIZE]
        stream = Rc4(derive_key(seed, self._keyword, CLIENT_TO_SERVER))
        fields = stream.update(head[SEED_SIZE:])
        if not fields.startswith(MAGIC):
            if self._search is not None:
                return self._reject(RejectReason.BAD_MAGIC)
            self._search = TerminatorSearch(self._keyword, head, CLIENT_TO_SERVER)
            return self._expect(1, self._on_prefix)
        if self._seen(seed):
            return self._reject(RejectReason.REPLAY)
        padding_length = int.from_bytes(fields[len(MAGIC) :], "big")
        if padding_length > MAX_PADDING:
            return self._reject(RejectReason.BAD_PADDING_LENGTH)
        self._seed, self._from_client = seed, stream
        self._expect(padding_length, self._on_padding)

    def _on_prefix(self, first: bytes) -> None:
        assert self._search is not None
        try:
            leftover = self._search.feed(first + self._take(len(self._buffer)))
        except RemoteProtocolError:
            return self._reject(RejectReason.NO_TERMINATOR)
        if leftover is not None:
            self._buffer += leftover
            self._expect(HEAD_SIZE, self._on_head)

    def _on_padding(self, padding: bytes) -> None:
        self._padding = self._reveal(padding)
        if self._search is None:
            return self._accept(None)
        self._expect(HEADER_FIXED_SIZE, self._on_header)

    def _on_header(self, fixed: bytes) -> None:
        clear = self._reveal(fixed)
        size = int.from_bytes(clear[len(HEADER_VERSION) :], "big")
        if not clear.startswith((HEADER_VERSION, FRAMED_VERSION)) or size > MAX_NAME_SIZE:
            return self._reject(RejectReason.BAD_HEADER)
        self._framed = clear.startswith(FRAMED_VERSION)
        self._expect(size, self._on_name)

    def _on_name(self, name: bytes) -> None:
        # Anything may stand here. What is no text, or no name of ours, is answered like any unknown name.
        self._accept(self._reveal(name).decode(errors="replace"))

    # ---- outcomes

    def _accept(self, name: str | None) -> None:
        assert self._from_client is not None
        leftover, framing = self._take(len(self._buffer)), None
        if self._framed:
            framing = Deframer(inside=True)  # the header ends the first chunk
            try:
                leftover = framing.receive(leftover)
            except RemoteProtocolError:
                return self._reject(RejectReason.BAD_FRAMING)
        rng = self._rng
        to_client = Rc4(derive_key(self._seed, self._keyword, SERVER_TO_CLIENT))
        segments = []
        lead = b""
        delay = 0.0
        if name is not None:
            prefix = self._specs.generate(name, rng, self._now)
            if prefix is None:
                name, prefix = "", b""
            segments.append(prefix)
            lead = prefix_end(prefix, self._keyword, SERVER_TO_CLIENT, rng)
            delay = self._specs.draw_delay(rng)
        least, most = self._padding_range
        if name and self._specs.padding is not None:
            most = max(least, min(most, self._specs.padding[1]))
        message = lead + to_client.update(padding_lines(rng.between(least, most), rng))
        segments.append(frame([message]) if self._framed else message)
        padding_seed = self._padding[:PADDING_SEED_SIZE]
        self._outcome = Accepted(
            leftover=leftover,
            opening=[segment for segment in segments if segment],
            opening_delay=delay,
            veil=Veil(to_client, self._from_client, rng),
            framing=framing,
            prefix_name=name,
            padding_prng_seed=padding_seed if len(padding_seed) == PADDING_SEED_SIZE else None,
            padding_length=len(self._padding),
        )

    def _reject(self, reason: RejectReason) -> None:
        self._outcome = Reject(reason)
        self._buffer.clear()

    # ---- helpers

    def _expect(self, count: int, step: Callable[[bytes], None]) -> None:
        self._wanted, self._step = count, step

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _reveal(self, data: bytes) -> bytes:
        assert self._from_client is not None
        return self._from_client.update(data)
