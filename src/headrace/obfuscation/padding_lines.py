"""The lines a server sends before its SSH identification, as RFC 4253 §4.2 allows (tunnel spec §2).

Their content is random rather than zero: zeros would put bare RC4 keystream, with its biases, on the wire.
"""

from headrace.base.rng import Rng

__all__ = ["MAX_LINE_SIZE", "padding_lines"]

MAX_LINE_SIZE = 512
_LINE_END = b"\r\n"
_IDENTIFICATION = b"SSH-"


def padding_lines(total: int, rng: Rng) -> bytes:
    """Return exactly `total` bytes (2 or more) of lines, each at most 512 bytes with its CR LF.

    No line holds another CR or LF, and none can be taken for an identification.
    """
    lines = bytearray()
    while left := total - len(lines):
        size = min(left, MAX_LINE_SIZE)
        if left - size == 1:  # one byte would be too few for a line of its own
            size -= 1
        lines += _content(size - len(_LINE_END), rng) + _LINE_END
    return bytes(lines)


def _content(size: int, rng: Rng) -> bytes:
    while True:
        content = b""
        while len(content) < size:
            content += rng.bytes(size - len(content)).translate(None, delete=_LINE_END)
        if not content.startswith(_IDENTIFICATION):
            return content
