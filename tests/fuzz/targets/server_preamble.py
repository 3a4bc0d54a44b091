"""What a server makes of a stranger's first bytes.

Invariant: it waits, refuses or accepts, and never raises; the same bytes one by one come to the same, but
that bad frames may be found only once they come; a refusal stands whatever follows; nobody without the key
is accepted.

The first byte chooses what the rest is: raw bytes; a mask laid over a valid preamble, with or without a
prefix; what follows a framed one; or what follows the padding of a valid one, enciphered, so that the
header's parser is reached.
"""

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.crypto import Rc4, derive_key
from headrace.obfuscation import (
    Accepted,
    ClientObfuscator,
    ClientPrefix,
    Reject,
    RejectReason,
    ServerObfuscator,
    default_server_prefixes,
)
from headrace.obfuscation.preamble import CLIENT_TO_SERVER, prefix_end, seed_message_fields

KEYWORD = b"a keyword"
SPECS = default_server_prefixes()
PLAIN = b"".join(ClientObfuscator(KEYWORD, SeededRng(1), padding=40).opening)
PREFIXED = b"".join(
    ClientObfuscator(
        KEYWORD, SeededRng(2), padding=40, prefix=ClientPrefix("http-post", b"POST / HTTP/1.1\r\n\r\n")
    ).opening
)
FRAMED = b"".join(
    ClientObfuscator(
        KEYWORD,
        SeededRng(5),
        padding=40,
        prefix=ClientPrefix("http-post", b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", framed=True),
    ).opening
)
SEED = bytes(16)
KEY = derive_key(SEED, KEYWORD, CLIENT_TO_SERVER)
BEFORE_SEED = b"POST / HTTP/1.1\r\n\r\n" + prefix_end(
    b"POST / HTTP/1.1\r\n\r\n", KEYWORD, CLIENT_TO_SERVER, SeededRng(3)
)

SEEDS = [b"\x01", b"\x02", b"\x02" + bytes(60) + b"\x01", b"\x04\0\x01\0\x05known", b"\x035\r\nhello\r\n"]


def fuzz(data: bytes) -> None:
    mode, body = data[:1], data[1:]
    match mode[0] % 5 if mode else 0:
        case 0:
            stream = body
        case 1:
            stream = masked(PLAIN, body)
        case 2:
            stream = masked(PREFIXED, body)
        case 3:
            stream = FRAMED + body
        case _:
            stream = BEFORE_SEED + SEED + Rc4(KEY).update(seed_message_fields(b"padding") + body)

    outcome = make_server().receive(stream)
    assert outcome is None or isinstance(outcome, Accepted | Reject)
    if isinstance(outcome, Accepted):
        assert mode[0] % 5, "a preamble made without the key"

    server = make_server()
    again: Accepted | Reject | None = None
    rest = len(stream)
    for place in range(len(stream)):
        again = server.receive(stream[place : place + 1])
        if again is not None:
            rest = place + 1
            break
    if isinstance(outcome, Accepted):
        assert isinstance(again, Accepted)
        assert again.opening == outcome.opening
        assert heard(again, stream[rest:]) == outcome.leftover
    elif outcome == Reject(RejectReason.BAD_FRAMING):
        assert isinstance(again, Accepted)  # before what is no chunk had come
        assert heard(again, stream[rest:]) is None
    else:
        assert again == outcome
    if isinstance(again, Reject):
        assert server.receive(PLAIN) == outcome


def heard(outcome: Accepted, more: bytes) -> bytes | None:
    """Return what the client sends to SSH, None if it is not framed as it should be."""
    if outcome.framing is None:
        return outcome.leftover + more
    try:
        return outcome.leftover + outcome.framing.receive(more)
    except RemoteProtocolError:
        return None


def make_server() -> ServerObfuscator:
    return ServerObfuscator(KEYWORD, SeededRng(4), lambda seed: False, SPECS)


def masked(valid: bytes, mask: bytes) -> bytes:
    """Lay `mask` over a valid preamble; what it has more stands behind."""
    size = min(len(valid), len(mask))
    over = bytes(a ^ b for a, b in zip(valid[:size], mask[:size], strict=True))
    return over + valid[size:] + mask[size:]
