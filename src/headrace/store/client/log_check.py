"""What is lost of a log that a killed process left: SQLite stops at the first bad frame, and says nothing.

    header (32 bytes):  magic (4) ‖ version (4) ‖ page size (4) ‖ checkpoints (4) ‖ salts (8) ‖ checksums (8)
    frame:              page number (4) ‖ size of the file, if this ends a transaction, else 0 (4) ‖
                        salts (8) ‖ checksums (8) ‖ page

Frames of one log have the salts of its header; others are left over from earlier rounds. How far SQLite came
is in the index beside the log (`mxFrame`). Transactions that end behind that were lost. A single one counts
for nothing: it may be the one that the kill cut short.

Source: SQLite, "Database File Format" §4 and "WAL-mode File Format" §2.
"""

import os
import struct
from pathlib import Path

__all__ = ["lost_transactions"]

_HEADER = struct.Struct(">4I8s2I")
_FRAME_HEADER = struct.Struct(">II8s8x")
_LAST_FRAME = struct.Struct("=I")
_LAST_FRAME_AT = 16
_MAGIC = 0x377F0682  # odd when checksums take words as big-endian
_USUAL_PAGE_SIZE = 4096


def lost_transactions(path: Path) -> int:
    """Return how many transactions in the log of the database at `path` were not recovered.

    Asked after the database was opened, and before anything is written. Raises OSError, and struct.error when
    log or index are too short to be any.
    """
    with open(f"{path}-shm", "rb") as index:
        (recovered,) = _LAST_FRAME.unpack_from(index.read(_LAST_FRAME_AT + _LAST_FRAME.size), _LAST_FRAME_AT)
    with open(f"{path}-wal", "rb") as log:
        header = log.read(_HEADER.size)
        _, _, page_size, _, round_salts, *_ = _HEADER.unpack(header)
        whole = _is_whole(header)
        frame_size = _FRAME_HEADER.size + (page_size if whole else _USUAL_PAGE_SIZE)
        frames = (log.seek(0, os.SEEK_END) - _HEADER.size) // frame_size
        lost = 0
        for number in range(recovered, frames):
            log.seek(_HEADER.size + number * frame_size)
            _, ends, salts = _FRAME_HEADER.unpack(log.read(_FRAME_HEADER.size))
            lost += ends > 0 and (salts == round_salts or not whole)
    # A kill between the two writes of a frame leaves one whose page is not its own: that was no change yet.
    return lost if lost > 1 or not whole else 0


def _is_whole(header: bytes) -> bool:
    magic, *_, first, second = _HEADER.unpack(header)
    if magic & ~1 != _MAGIC:
        return False
    words = struct.unpack(f"{'>' if magic & 1 else '<'}6I", header[:24])
    sums = 0, 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        left = (sums[0] + even + sums[1]) & 0xFFFFFFFF
        sums = left, (sums[1] + odd + left) & 0xFFFFFFFF
    return sums == (first, second)
