"""CBOR from strangers: a walk over the heads checks the shape, then cbor2 decodes.

Only what API messages need is let through: integers, byte and text strings, lists, maps, booleans, null and
finite floats, all of definite length. Tags are refused, since a library gives them meaning (dates, regular
expressions, huge numbers), and so are duplicate keys. Source: RFC 8949 §3; the writer is canonical in the
sense of CTAP2 (§4.2.1 there: shortest heads, keys in byte order).
"""

import math

import cbor2

from headrace.base.errors import RemoteProtocolError

__all__ = ["decode", "encode"]

_MAX_DEPTH = 8
_MAX_VALUES = 16_384
_MAX_BYTES = 256 * 1024

_BYTES, _TEXT, _LIST, _MAP, _TAG, _SIMPLE = range(2, 8)
_FALSE, _TRUE, _NULL, _FLOAT16, _FLOAT64 = 20, 21, 22, 25, 27


def encode(value: object) -> bytes:
    """Return `value` in canonical CBOR."""
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, *, max_depth: int = _MAX_DEPTH) -> object:
    """Return the one value that `data` holds, in containers at most so deep. Raises RemoteProtocolError."""
    if len(data) > _MAX_BYTES:
        raise RemoteProtocolError(f"CBOR of {len(data)} bytes")
    pairs = _check_shape(data, max_depth)
    try:
        value = cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError, TypeError) as error:
        raise RemoteProtocolError(f"CBOR: {error}") from error
    if _count_pairs(value) != pairs:
        raise RemoteProtocolError("CBOR map with a duplicate key")
    return value


def _check_shape(data: bytes, max_depth: int) -> int:
    """Walk all heads, and return how many key-value pairs the maps announce."""
    position, values, pairs = 0, 0, 0
    pending = [1]  # values still to come, per open container
    while pending:
        if not pending[-1]:
            pending.pop()
            continue
        pending[-1] -= 1
        values += 1
        kind, argument, position = _read_head(data, position)
        if kind in (_BYTES, _TEXT):
            position += argument
        elif kind in (_LIST, _MAP):
            pairs += argument if kind == _MAP else 0
            pending.append(argument * (2 if kind == _MAP else 1))
        # Each value still announced takes at least a byte: no list of billions gets past here.
        if values + pending[-1] > _MAX_VALUES or len(pending) > max_depth or position > len(data):
            raise RemoteProtocolError("CBOR too deep, too long or cut short")
    if position != len(data):
        raise RemoteProtocolError(f"{len(data) - position} bytes after the CBOR value")
    return pairs


def _read_head(data: bytes, position: int) -> tuple[int, int, int]:
    """Return major type, argument and the position after the head."""
    if position >= len(data):
        raise RemoteProtocolError("CBOR cut short")
    kind, info = data[position] >> 5, data[position] & 31
    position += 1
    if kind == _TAG or info > _FLOAT64 or (kind == _SIMPLE and not _plain(info)):
        raise RemoteProtocolError(f"CBOR head {data[position - 1]:#04x} is not accepted here")
    if info < 24:
        return kind, info, position
    end = position + (1 << (info - 24))
    if end > len(data):
        raise RemoteProtocolError("CBOR cut short")
    return kind, int.from_bytes(data[position:end], "big"), end


def _plain(info: int) -> bool:
    return info in (_FALSE, _TRUE, _NULL) or _FLOAT16 <= info <= _FLOAT64


def _count_pairs(value: object) -> int:
    """Count the pairs that survived decoding: one less than announced means a key came twice."""
    if isinstance(value, dict):
        if not all(isinstance(key, int | str | bytes) for key in value):
            raise RemoteProtocolError("CBOR map with a key that is neither number nor text")
        return len(value) + sum(map(_count_pairs, value.values()))
    if isinstance(value, list):
        return sum(map(_count_pairs, value))
    if isinstance(value, float) and not math.isfinite(value):
        raise RemoteProtocolError("CBOR number that is not finite")
    return 0
