"""Preambles written out by hand, independently of the client, for tests of what a server makes of them."""

from collections.abc import Callable, Sequence

from headrace.base.rng import Rng, SeededRng
from headrace.crypto import Rc4, derive_key
from headrace.obfuscation import PrefixSpecs, SeedMemory, ServerObfuscator
from headrace.obfuscation.preamble import CLIENT_TO_SERVER, terminator

KEYWORD = b"a keyword"
SEED = bytes(range(16))
PADDING = bytes(range(100, 140))
PREFIX = b"GET /some/path HTTP/1.1\r\n\r\n"
SPECS = PrefixSpecs.compile({"known": r"HTTP/1\.1 200 OK\r\n\r\n[a-z]{20}", "short": "[a-z]{5}"})

#: A seed whose second keystream byte towards the server is zero, with the keyword b"k".
ZERO_SEED = bytes(15) + b"\x1e"


def seed_message(
    padding: bytes = PADDING,
    *,
    seed: bytes = SEED,
    keyword: bytes = KEYWORD,
    magic: int = 0x0BF5CA7E,
    padding_length: int | None = None,
    behind: bytes = b"",
) -> bytes:
    """Return a seed message with `behind` enciphered after its padding."""
    length = len(padding) if padding_length is None else padding_length
    clear = magic.to_bytes(4, "big") + length.to_bytes(4, "big") + padding + behind
    return seed + Rc4(derive_key(seed, keyword, CLIENT_TO_SERVER)).update(clear)


def header(name: bytes = b"known", *, version: int = 1, size: int | None = None) -> bytes:
    """Return a prefix header in the clear."""
    return version.to_bytes(2, "big") + (len(name) if size is None else size).to_bytes(2, "big") + name


def prefixed(rest: bytes, prefix: bytes = PREFIX, keyword: bytes = KEYWORD) -> bytes:
    """Return `rest` behind a prefix and its terminator."""
    return prefix + terminator(keyword, prefix[:24], CLIENT_TO_SERVER) + rest


def never_seen(seed: bytes) -> bool:
    return False


def shared_history() -> Callable[[bytes], bool]:
    """Return the `seen` of a history that several servers may share; its time stands still."""
    memory = SeedMemory()
    return lambda seed: memory.seen(seed, 0.0)


def make_server(
    seen: Callable[[bytes], bool] = never_seen,
    *,
    rng: Rng | None = None,
    specs: PrefixSpecs = SPECS,
    keyword: bytes = KEYWORD,
    min_padding: int = 2,
    max_padding: int = 8192,
) -> ServerObfuscator:
    return ServerObfuscator(
        keyword, rng or SeededRng(1), seen, specs, min_padding=min_padding, max_padding=max_padding
    )


class Script(Rng):
    """Randomness by script: `texts` in order, then zeros; every number the least; chances as told."""

    def __init__(self, texts: Sequence[bytes] = (), chances: Sequence[bool] = ()) -> None:
        self._texts = list(texts)
        self._chances = list(chances)

    def bytes(self, count: int) -> bytes:
        if not self._texts:
            return bytes(count)
        text = self._texts.pop(0)
        assert len(text) == count
        return text

    def between(self, low: int, high: int) -> int:
        return low

    def chance(self, probability: float) -> bool:
        return self._chances.pop(0)
