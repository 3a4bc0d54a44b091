"""What is lost of a log that a killed process left: SQLite stops at the first bad frame, and says nothing.

    header (32 bytes):  ... salts at 16 ...
    frame:              page number (4) ‖ size of the file, if this ends a transaction, else 0 (4) ‖
                        salts (8) ‖ checksums (8) ‖ page

Frames of one log have the salts of its header; others may be left over from earlier rounds. How far SQLite
came is in the index beside the log (`mxFrame`). A transaction that ends behind that was lost.

Source: SQLite, "Database File Format" §4 and "WAL-mode File Format" §2.
"""

import struct
from pathlib import Path

__all__ = ["lost_transactions"]

_HEADER = 32
_MAGIC = bytes.fromhex("377f06")
_FRAME_HEADER = struct.Struct(">II8s8x")
_PAGE_SIZE_AT, _SALTS_AT = 8, slice(16, 24)
_LAST_FRAME = struct.Struct("=I")
_LAST_FRAME_AT = 16
_PAGE_SIZES = {2**power for power in range(9, 17)}
_USUAL_PAGE_SIZE = 4096


def lost_transactions(path: Path) -> int:
    """Return how many transactions in the log of the database at `path` were not recovered.

    Asked after the database was opened, and before anything is written. Raises OSError.
    """
    with open(f"{path}-shm", "rb") as index:
        (recovered,) = _LAST_FRAME.unpack_from(index.read(_LAST_FRAME_AT + _LAST_FRAME.size), _LAST_FRAME_AT)
    lost = 0
    with open(f"{path}-wal", "rb") as log:
        header = log.read(_HEADER)
        page_size = int.from_bytes(header[_PAGE_SIZE_AT : _PAGE_SIZE_AT + 4], "big")
        if page_size not in _PAGE_SIZES:
            page_size = _USUAL_PAGE_SIZE
        whole = header[: len(_MAGIC)] == _MAGIC
        salts = {header[_SALTS_AT]}
        number = 0
        while len(frame := log.read(_FRAME_HEADER.size)) == _FRAME_HEADER.size:
            number += 1
            _, ends, salt = _FRAME_HEADER.unpack(frame)
            if number == 1:
                salts.add(salt)  # the header may be what is damaged
            lost += number > recovered and ends > 0 and (salt in salts or not whole)
            log.seek(page_size, 1)
    return lost
