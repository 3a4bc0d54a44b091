"""What is made of a body's chunks.

Invariant: garbage is RemoteProtocolError and nothing else; the same bytes in other pieces come to the same,
up to where they are refused; what was framed is found again, and is the body that h11 sees.
"""

import h11

from headrace.base.errors import RemoteProtocolError
from headrace.obfuscation.framing import LAST_CHUNK, Deframer, frame

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
SEEDS = [b"\x00" + frame([b"one"]) + frame([b"two"]) + LAST_CHUNK, b"\x05one two three", b"\x01f;a=b\r\n"]


def fuzz(data: bytes) -> None:
    mode, body = data[:1], data[1:]
    step = mode[0] % 16 if mode else 0
    if not step:
        for inside in (False, True):
            whole, refused = outcome(body, len(body) or 1, inside=inside)
            bytewise, refused_too = outcome(body, 1, inside=inside)
            assert refused == refused_too
            assert whole == bytewise or (refused and bytewise.startswith(whole))
        return
    pieces = [body[at : at + step] for at in range(0, len(body), step)]
    stream = b"".join(frame([piece]) for piece in pieces) + LAST_CHUNK
    assert outcome(stream, 7 * step) == outcome(stream, 1) == (body, False)
    server = h11.Connection(h11.SERVER)
    server.receive_data(HEAD + stream)
    assert isinstance(server.next_event(), h11.Request)
    seen = b""
    while isinstance(event := server.next_event(), h11.Data):
        seen += event.data
    assert seen == body
    assert isinstance(event, h11.EndOfMessage)


def outcome(stream: bytes, step: int, *, inside: bool = False) -> tuple[bytes, bool]:
    """Return the data found, and whether what came was refused."""
    deframer, found = Deframer(inside=inside), b""
    try:
        for at in range(0, len(stream), step):
            found += deframer.receive(stream[at : at + step])
    except RemoteProtocolError:
        return found, True
    return found, False
