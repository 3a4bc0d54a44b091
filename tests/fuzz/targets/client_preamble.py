"""What a client that sent a prefix makes of the server's answer.

Invariant: it waits, gives up with RemoteProtocolError after 65,536 bytes and 24 more, or finds exactly what
lies behind the terminator; the same bytes in other pieces come to the same. What comes after a valid prefix
is handed on untouched.

The same goes for framed answers, but that one whose frames are bad, or do not begin with the terminator, is
given up at once.
"""

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.obfuscation import ClientObfuscator, ClientPrefix
from headrace.obfuscation.framing import frame
from headrace.obfuscation.preamble import HEAD_SIZE, MAX_SEARCH, SERVER_TO_CLIENT, prefix_end, terminator

KEYWORD = b"a keyword"
PREFIX = ClientPrefix("http-post", b"POST / HTTP/1.1\r\n\r\n")
FRAMED = ClientPrefix("http-chunked", b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", framed=True)
HEAD = b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n"
MARK = terminator(KEYWORD, HEAD[:HEAD_SIZE], SERVER_TO_CLIENT)

SEEDS = [
    b"\x02a chunk or two",
    b"\x03" + HEAD + frame([MARK]) + frame([b"more"]),
    b"\x03" + HEAD + frame([MARK[:5]]),
]


def fuzz(data: bytes) -> None:
    mode, body = (data[0] if data else 0), data[1:]
    match mode % 4:
        case 1:
            behind = body[mode % 32 :]
            prefix = body[: mode % 32]
            answer = prefix + prefix_end(prefix, KEYWORD, SERVER_TO_CLIENT, SeededRng(1)) + behind
            assert outcome(answer, step=7) == outcome(answer, step=len(answer)) == (behind, False)
        case 2:
            size = 1 + mode // 4
            pieces = [(MARK + body)[at : at + size] for at in range(0, len(MARK + body), size)]
            answer = HEAD + b"".join(frame([piece]) for piece in pieces)
            assert outcome(answer, 7, FRAMED) == outcome(answer, len(answer), FRAMED) == (body, False)
        case 3:
            found, refused = outcome(body, 1, FRAMED)
            whole = outcome(body, len(body) or 1, FRAMED)
            assert whole == (found, refused) or (refused and whole == (b"", True))
        case _:
            assert (
                outcome(body, len(body) or 1)
                == outcome(body, 13)
                == (b"", len(body) >= HEAD_SIZE + MAX_SEARCH)
            )


def outcome(answer: bytes, step: int, prefix: ClientPrefix = PREFIX) -> tuple[bytes, bool]:
    """Return what the client handed on, and whether it gave up."""
    client = ClientObfuscator(KEYWORD, SeededRng(2), prefix=prefix)
    handed_on = b""
    try:
        for start in range(0, len(answer), step):
            found = client.receive(answer[start : start + step])
            assert client.ready is (found is not None)
            handed_on += found or b""
    except RemoteProtocolError:
        return handed_on, True
    return handed_on, False
