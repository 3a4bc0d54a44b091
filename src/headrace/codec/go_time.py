"""Go's binary time encoding, version 1, as found in keep-alive answers (tunnel spec §5).

    01 | seconds since year 1, int64 | nanoseconds int32 | zone offset in minutes int16, −1 for UTC

Only whole seconds are written here, and only UTC.
"""

from headrace.base.errors import RemoteProtocolError
from headrace.codec.cursor import Cursor

__all__ = ["ENCODED_SIZE", "HOUR", "decode_time", "encode_time", "truncate_to_hour"]

ENCODED_SIZE = 15
HOUR = 3600  # seconds

_VERSION = 1
_UTC = b"\xff\xff"
_YEAR_1 = 62_135_596_800  # seconds from 0001-01-01 to 1970-01-01, both UTC


def truncate_to_hour(unix_time: float) -> int:
    """Return the start of the hour: all that anybody is told about when something happened."""
    return int(unix_time // HOUR) * HOUR


def encode_time(unix_time: int) -> bytes:
    """Return the 15 bytes for a time in seconds since 1970 UTC."""
    return bytes([_VERSION]) + (unix_time + _YEAR_1).to_bytes(8, "big", signed=True) + bytes(4) + _UTC


def decode_time(data: bytes | memoryview) -> int:
    """Return seconds since 1970 UTC, nanoseconds and zone dropped. Raises RemoteProtocolError."""
    cursor = Cursor(data)
    version = cursor.u8()
    if version != _VERSION:
        raise RemoteProtocolError(f"time encoding version {version}; only version {_VERSION} is known")
    seconds = int.from_bytes(cursor.take(8), "big", signed=True)
    cursor.take(6)
    cursor.check_end()
    return seconds - _YEAR_1
