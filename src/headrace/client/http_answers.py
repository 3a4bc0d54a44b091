"""What the HTTP proxy says in its own name. It closes after each of these."""

from typing import Final

from headrace.client.forward_stream import ForwardFailed
from headrace.ssh.forwarding import Failure

__all__ = [
    "BAD_REQUEST",
    "ESTABLISHED",
    "TOO_SLOW",
    "WHO_ARE_YOU",
    "answer_to_failure",
]

_ANSWER: Final = b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\nConnection: close\r\n\r\n%b"

ESTABLISHED: Final = b"HTTP/1.1 200 OK\r\n\r\n"
BAD_REQUEST: Final = _ANSWER % (b"400 Bad Request", b"", 0, b"")
TOO_SLOW: Final = _ANSWER % (b"408 Request Timeout", b"", 0, b"")
WHO_ARE_YOU: Final = _ANSWER % (
    b"407 Proxy Authentication Required",
    b'Proxy-Authenticate: Basic realm="headrace", charset="UTF-8"\r\n',
    0,
    b"",
)

_STATUSES: Final = {
    Failure.REFUSED: b"502 Bad Gateway",
    Failure.UNREACHABLE: b"502 Bad Gateway",
    Failure.NO_SUCH_NAME: b"502 Bad Gateway",
    Failure.TIMED_OUT: b"504 Gateway Timeout",
    Failure.FORBIDDEN: b"403 Forbidden",
    Failure.NO_TUNNEL: b"503 Service Unavailable",
    Failure.FAILED: b"502 Bad Gateway",
}
_PLAIN: Final = b"Content-Type: text/plain; charset=utf-8\r\n"


def answer_to_failure(why: Failure, *, sentence: bool) -> bytes:
    """Return the answer to a request that failed, with a sentence for people if they can see it."""
    if not sentence:
        return _ANSWER % (_STATUSES[why], b"", 0, b"")
    text = f"headrace: {ForwardFailed(why)}.\n".encode()
    return _ANSWER % (_STATUSES[why], _PLAIN, len(text), text)
