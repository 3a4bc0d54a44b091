"""What a client that sent a prefix makes of the server's answer.

Invariant: it waits, gives up with RemoteProtocolError after 65,536 bytes and 24 more, or finds exactly what
lies behind the terminator; the same bytes in other pieces come to the same. What comes after a valid prefix
is handed on untouched.
"""

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.obfuscation import ClientObfuscator, ClientPrefix
from headrace.obfuscation.preamble import HEAD_SIZE, MAX_SEARCH, SERVER_TO_CLIENT, prefix_end

KEYWORD = b"a keyword"
PREFIX = ClientPrefix("http-post", b"POST / HTTP/1.1\r\n\r\n")


def fuzz(data: bytes) -> None:
    mode, body = data[:1], data[1:]
    if mode and mode[0] % 2:
        behind = body[mode[0] % 32 :]
        prefix = body[: mode[0] % 32]
        answer = prefix + prefix_end(prefix, KEYWORD, SERVER_TO_CLIENT, SeededRng(1)) + behind
        assert b"".join(outcome(answer, step=7)) == behind
        assert b"".join(outcome(answer, step=len(answer))) == behind
    else:
        found = outcome(body, step=len(body) or 1)
        assert found == outcome(body, step=13) == []


def outcome(answer: bytes, step: int) -> list[bytes]:
    """Return what the client handed on."""
    client = ClientObfuscator(KEYWORD, SeededRng(2), prefix=PREFIX)
    handed_on = []
    try:
        for start in range(0, len(answer), step):
            found = client.receive(answer[start : start + step])
            assert client.ready is (found is not None)
            if found is not None:
                handed_on.append(found)
    except RemoteProtocolError:
        assert len(answer) >= HEAD_SIZE + MAX_SEARCH
    return handed_on
