"""API parameters as they travel in SSH global requests: JSON, or packed into CBOR (tunnel spec §5).

    { … }                      JSON object
    00 01 | CBOR map           packed: integer keys from `packed_parameter_keys`, values converted

After unpacking every scalar is a string, booleans are "0" and "1"; lists and objects stay what they are; null
counts as absent.
Keys we do not know are ignored: clients are newer than servers as often as not.
"""

import base64
import math
from collections.abc import Callable, Mapping

import msgspec

from headrace.base.errors import LocalProtocolError, RemoteProtocolError
from headrace.codec import bounded_cbor
from headrace.codec.packed_authorizations import pack_authorizations, unpack_authorizations
from headrace.codec.packed_parameter_keys import PARAMETER_KEYS, Conversion

__all__ = ["PACKED_PREAMBLE", "pack", "to_json", "unpack"]

PACKED_PREAMBLE = b"\0\x01"

_MAX_BYTES = 256 * 1024  # an SSH packet holds no more
_MAX_DEPTH = 16
_KEY_OF: dict[str, tuple[int, Conversion]] = {name: (key, how) for key, (name, how) in PARAMETER_KEYS.items()}


def pack(parameters: Mapping[str, object]) -> bytes:
    """Return the packed form. Raises LocalProtocolError for a name without a key or a misfit value."""
    packed: dict[int, object] = {}
    for name, value in parameters.items():
        if name not in _KEY_OF:
            raise LocalProtocolError(f"API parameter {name} cannot be packed: it has no key")
        key, conversion = _KEY_OF[name]
        try:
            packed[key] = _pack_value(conversion, value)
        except (ValueError, TypeError, AttributeError, KeyError, msgspec.DecodeError) as error:
            raise LocalProtocolError(f"API parameter {name} cannot be packed: {error}") from error
    return PACKED_PREAMBLE + bounded_cbor.encode(packed)


def to_json(parameters: Mapping[str, object]) -> bytes:
    """Return the JSON form."""
    return msgspec.json.encode(parameters)


def unpack(payload: bytes) -> dict[str, object]:
    """Return the parameters of either form. Raises RemoteProtocolError."""
    if payload[:1] == b"{":
        parameters = _decode_object(payload)
    elif payload[:2] == PACKED_PREAMBLE:
        parameters = _unpack_map(bounded_cbor.decode(payload[2:]))
    else:
        raise RemoteProtocolError("API parameters are neither JSON nor packed")
    return {name: _scalar_text(value) for name, value in parameters.items() if value is not None}


def _unpack_map(packed: object) -> dict[str, object]:
    if not isinstance(packed, dict):
        raise RemoteProtocolError("packed API parameters are not a map")
    parameters: dict[str, object] = {}
    for key, value in packed.items():
        if not isinstance(key, int) or isinstance(key, bool):
            raise RemoteProtocolError("packed API parameters have a key that is not an integer")
        if key in PARAMETER_KEYS:
            name, conversion = PARAMETER_KEYS[key]
            parameters[name] = _unpack_value(name, conversion, value)
    return parameters


def _decode_object(data: bytes) -> dict[str, object]:
    """Return a JSON object, of bounded size and depth."""
    if len(data) > _MAX_BYTES:
        raise RemoteProtocolError(f"JSON of {len(data)} bytes")
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise RemoteProtocolError(f"JSON: {error}") from error
    if not isinstance(value, dict):
        raise RemoteProtocolError("JSON, but not an object")
    _check_depth(value, _MAX_DEPTH)
    return value


def _check_depth(value: object, left: int) -> None:
    if not left:
        raise RemoteProtocolError("JSON nested too deeply")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_depth(inner, left - 1)


def _scalar_text(value: object) -> object:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value) if isinstance(value, int | float) else value


def _pack_value(conversion: Conversion, value: object) -> object:
    if conversion in ("none", "json_maps"):
        return value
    if conversion == "authorizations":
        return pack_authorizations(value)
    if conversion == "raw_json":
        return msgspec.json.encode(value)
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}")
    return _PACK_TEXT[conversion](value)


def _unpack_value(name: str, conversion: Conversion, value: object) -> object:
    match conversion, value:
        case _, None:
            return None
        case "none", _ if not _holds_bytes(value):
            return value
        case "json_maps", list() if not _holds_bytes(value) and all(isinstance(item, dict) for item in value):
            return value
        case "int_string", int() if not isinstance(value, bool):
            return str(value)
        case "float_string", float():
            return f"{value:f}"
        case "raw_json", bytes():
            return _decode_object(value)
        case "authorizations", bytes():
            return unpack_authorizations(value)
        case _, bytes() if conversion in _UNPACK_BYTES:
            return _UNPACK_BYTES[conversion](value)
    raise RemoteProtocolError(f"packed API parameter {name} is {type(value).__name__}, not {conversion}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_PACK_TEXT: dict[Conversion, Callable[[str], object]] = {
    "int_string": int,
    "float_string": _finite,
    "hex_lower": bytes.fromhex,
    "hex_upper": bytes.fromhex,
    "base64": _from_base64,
    "base64_unpadded": _from_base64,
}

_UNPACK_BYTES: dict[Conversion, Callable[[bytes], str]] = {
    "hex_lower": bytes.hex,
    "hex_upper": lambda data: data.hex().upper(),
    "base64": _to_base64,
    "base64_unpadded": lambda data: _to_base64(data).rstrip("="),
}


def _holds_bytes(value: object) -> bool:
    """True when a value has no JSON counterpart."""
    if isinstance(value, dict):
        return any(not isinstance(key, str) or _holds_bytes(inner) for key, inner in value.items())
    return any(map(_holds_bytes, value)) if isinstance(value, list) else isinstance(value, bytes)
