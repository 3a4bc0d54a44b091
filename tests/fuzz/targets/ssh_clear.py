"""The beginning of a connection before the keys: the same lines and packets come out however it is cut."""

from headrace.base.errors import RemoteProtocolError
from headrace.ssh.clear import MAX_CLEAR_PACKET, MAX_LINE, ClearInput

SEEDS = [
    b"\x00\x07SSH-2.0-x\r\n\x00\x00\x00\x0c\x0a\x15" + bytes(10) + b"behind",
    b"\x01\x01noise\r\n\r\nSSH-2.0-y\n\x00\x00\x00\x06\x04\x14" + bytes(4),
    b"\x01\xffSSH-1.99-z\r\n" + b"\x00\x00\x00\x0c\x04payload" + bytes(4),
]


def outcome(data: bytes, lines_before: bool, step: int) -> tuple[object, ...]:
    """Return all that is found: identification, payloads, and the error that ends it."""
    clear = ClearInput(None)
    found: list[object] = []
    line = None
    try:
        for start in range(0, len(data), step):
            clear.feed(data[start : start + step])
            if line is None and (line := clear.identification(lines_before)) is not None:
                found.append(line)
            while line is not None and (payload := clear.payload()) is not None:
                found.append(payload)
            assert clear.leftover <= MAX_CLEAR_PACKET + 4 + step + MAX_LINE
    except RemoteProtocolError as error:
        found.append((error.code, str(error)))
    return tuple(found)


def fuzz(data: bytes) -> None:
    """The first byte says who listens, the second how the rest is cut."""
    if len(data) < 2:
        return
    lines_before, step, rest = bool(data[0] & 1), data[1] or 1, data[2:]
    assert outcome(rest, lines_before, step) == outcome(rest, lines_before, len(rest) or 1)
