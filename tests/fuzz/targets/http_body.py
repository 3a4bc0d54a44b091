"""Chunks: any bytes end somewhere, want more or raise RemoteProtocolError, the same however they are cut."""

from headrace.base.errors import RemoteProtocolError
from headrace.codec.http_body import Chunked

SEEDS = [
    b"3\r\nabc\r\n0\r\n\r\nnext",
    b'0A;name="v"\r\n0123456789\r\n000\r\nTrailer: t\r\n\r\n',
    b"1\r\na\r\nffffffffffffffff\r\n",
]


def fuzz(data: bytes) -> None:
    """`data` is what follows the head of a message in chunks."""
    whole = _take(data, len(data))
    assert whole == _take(data, 1) == _take(data, 3)


def _take(data: bytes, step: int) -> tuple[bytes, bytes] | None:
    """Return the body on the wire and its payload, None if it is none."""
    body, taken, payload = Chunked(decode=True), b"", b""
    for start in range(0, len(data), max(step, 1)):
        try:
            taken += body.take(memoryview(data)[start : start + step])
        except RemoteProtocolError:
            return None
        assert body.payload is not None
        payload += b"".join(body.payload)
        body.payload.clear()
        if body.done:
            break
    assert data.startswith(taken)
    return taken, payload
