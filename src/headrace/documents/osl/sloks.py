"""SLOKs, the keys that traffic earns: derived from a scheme's master key, so nobody has to keep them.

One key for each propagation channel, seed spec and period. Its ID tells it apart and gives nothing away.
Source: server lists spec §4.1 (times) and §4.2.
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

__all__ = ["SECRET_SIZE", "Slok", "derive_slok", "expand", "le64", "nanoseconds", "period_start"]

#: Bytes in master keys, seed spec IDs, SLOKs and their IDs, and the keys of lists.
SECRET_SIZE: Final = 32

_SECOND: Final = 1_000_000_000  # nanoseconds
_YEAR_1: Final = -62_135_596_800 * _SECOND  # 0001-01-01T00:00:00Z
_UTC_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?Z", re.ASCII)


class Slok(NamedTuple):
    """A key and what it goes by, 32 bytes each."""

    id: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"Slok(id={self.id.hex()})"


def derive_slok(master_key: bytes, channel: str, spec_id: bytes, start: int) -> Slok:
    """Return the key of a propagation channel and seed spec for the period that begins at `start`."""
    key = expand(master_key, channel.encode(), spec_id, le64(start))
    return Slok(expand(master_key, key), key)


def expand(key: bytes, *context: bytes) -> bytes:
    """Return 32 bytes derived from a key: the first block of HKDF-Expand (RFC 5869 §2.3) with SHA-256."""
    return hmac.digest(key, b"".join(context) + b"\x01", hashlib.sha256)


def le64(number: int) -> bytes:
    """Return the 8 bytes, lowest first, in which lengths and times go into a derivation."""
    return (number % (1 << 64)).to_bytes(8, "little")


def period_start(time: int, period: int) -> int:
    """Return when the period began in which `time` lies: periods are counted from the year 1."""
    return time - (time - _YEAR_1) % period


def nanoseconds(text: str) -> int:
    """Return an RFC 3339 time, which must be written in UTC with a Z. Raises ValueError."""
    match = _UTC_TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time in UTC: write for instance 2024-01-01T00:00:00Z")
    try:
        seconds = datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise ValueError(f"{text!r} is no time: {error}") from None
    return int(seconds) * _SECOND + int((match[2] or "").ljust(9, "0"))
