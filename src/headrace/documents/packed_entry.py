"""A server entry in CBOR, as messages about entries carry it (server lists spec §1.9).

    {1: {<key>: <value>, …}, 2: {<name>: <value>, …}}

Names of the table below become integers, and their values, where hexadecimal or base64, become bytes; all
other fields go into the second map as they are. An empty map is left out. Maps are in the order of CTAP2
canonical CBOR; numbers are 64-bit floats even when whole, for that is what they were when read from JSON.

Hexadecimal digits come back in the case the network uses for their field. An entry signed with them written
otherwise is no longer the signed one.
"""

import base64
import math
import re
from collections.abc import Callable
from typing import NamedTuple

import cbor2

from headrace.base.errors import DocumentError, RemoteProtocolError
from headrace.codec import bounded_cbor
from headrace.documents.entry_fields import Fields

__all__ = ["pack_entry", "unpack_entry"]

_KNOWN, _OTHERS = 1, 2
_MAX_DEPTH = 6  # of a value: within two maps, as deep as `bounded_cbor` reads
_MAX_EXACT = 10**15  # whole numbers below are `int` where `json_canonical` reads them

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


class _Conversion(NamedTuple):
    pack: Callable[[str], object]  # raises ValueError
    packed: type
    unpack: Callable[..., str]


def _from_hex(text: str) -> bytes:
    if not _HEX.fullmatch(text):  # fromhex alone would let white space pass
        raise ValueError("not hexadecimal")
    return bytes.fromhex(text)


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _from_unpadded(text: str) -> bytes:
    if "=" in text:
        raise ValueError("padded, though it should not be")
    return _from_base64(text + "=" * (-len(text) % 4))


def _from_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("not a whole number")
    return int(text)


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_CONVERSIONS = {
    "int": _Conversion(_from_integer, int, str),
    "hex": _Conversion(_from_hex, bytes, bytes.hex),
    "HEX": _Conversion(_from_hex, bytes, lambda data: data.hex().upper()),
    "b64": _Conversion(_from_base64, bytes, _to_base64),
    "raw64": _Conversion(_from_unpadded, bytes, lambda data: _to_base64(data).rstrip("=")),
}

# Each name's place is its key: four in a line, from 1. Behind the colon stands how the value is converted.
_TABLE = """
    tag:b64 ipAddress webServerPort:int webServerSecret:hex
    webServerCertificate sshPort sshUsername sshPassword:hex
    sshHostKey:b64 sshObfuscatedPort sshObfuscatedQUICPort limitQUICVersions
    sshObfuscatedTapdancePort sshObfuscatedConjurePort sshObfuscatedKey:hex capabilities
    region providerID:HEX frontingProviderID:HEX tlsOSSHPort
    meekServerPort meekCookieEncryptionPublicKey:b64 meekObfuscatedKey:hex meekFrontingHost
    meekFrontingHosts meekFrontingDomain meekFrontingAddresses meekFrontingAddressesRegex
    meekFrontingDisableSNI tacticsRequestPublicKey:b64 tacticsRequestObfuscatedKey:b64 configurationVersion
    signature:b64 disableHTTPTransforms disableObfuscatedQUICTransforms disableOSSHTransforms
    disableOSSHPrefix inproxySessionPublicKey:raw64 inproxySessionRootObfuscationSecret:raw64 inproxySSHPort
    inproxyOSSHPort inproxyQUICPort inproxyMeekPort inproxyTlsOSSHPort
    localSource localTimestamp isLocalDerivedTag allowUpstreamProxy
"""
_FIELD_OF: dict[int, tuple[str, _Conversion | None]] = {}
_KEY_OF: dict[str, int] = {}
for _key, _field in enumerate(_TABLE.split(), start=1):
    _name, _, _how = _field.partition(":")
    _FIELD_OF[_key] = _name, _CONVERSIONS.get(_how)
    _KEY_OF[_name] = _key


def pack_entry(fields: Fields) -> bytes:
    """Return the CBOR form. Raises DocumentError, naming the field, for a value that has none."""
    known: dict[int, object] = {}
    others: dict[str, object] = {}
    for name, value in fields.items():
        try:
            if (key := _KEY_OF.get(name)) is None:
                others[name] = _plain(value, _MAX_DEPTH)
            else:
                known[key] = _pack(value, _FIELD_OF[key][1])
        except (ValueError, OverflowError) as error:
            raise DocumentError(f"server entry {name} cannot be packed: {error}") from error
    try:
        maps = {_KNOWN: dict(sorted(known.items())), _OTHERS: _ordered(others)}
        # The library's own canonical form would shorten floats.
        return cbor2.dumps({key: value for key, value in maps.items() if value})
    except UnicodeEncodeError as error:
        raise DocumentError(f"server entry cannot be packed: {error.reason}") from error


def unpack_entry(data: bytes) -> dict[str, object]:
    """Return the fields of a packed entry, as they are when read from JSON. Raises DocumentError.

    An unknown integer key is an error: the field may have been signed, and its name cannot be told.
    """
    try:
        packed = bounded_cbor.decode(data)
    except RemoteProtocolError as error:
        raise DocumentError(f"packed server entry: {error}") from error
    if not isinstance(packed, dict) or any(type(key) is not int for key in packed):
        raise DocumentError("packed server entry is not a map of numbers")
    if unknown := packed.keys() - {_KNOWN, _OTHERS}:
        raise DocumentError(f"packed server entry has an unknown part {min(unknown)}")
    known, others = packed.get(_KNOWN, {}), packed.get(_OTHERS, {})
    if not isinstance(known, dict) or not isinstance(others, dict):
        raise DocumentError("packed server entry has a part that is not a map")
    fields = dict(_unpack(key, value) for key, value in known.items())
    for name, value in others.items():
        if name in fields:
            raise DocumentError(f"packed server entry has {name!a} twice")
        fields[_text(name)] = _from_plain(value)
    return fields


def _pack(value: object, conversion: _Conversion | None) -> object:
    if conversion is None:
        return _plain(value, _MAX_DEPTH)
    if not isinstance(value, str):
        raise ValueError("not a text")
    return conversion.pack(value)


def _unpack(key: object, value: object) -> tuple[str, object]:
    if type(key) is not int or key not in _FIELD_OF:
        raise DocumentError(f"packed server entry has an unknown field {ascii(key)[:20]}")
    name, conversion = _FIELD_OF[key]
    if conversion is None:
        return name, _from_plain(value)
    if type(value) is not conversion.packed:
        raise DocumentError(f"packed server entry has {name} as {type(value).__name__}")
    return name, conversion.unpack(value)


def _plain(value: object, left: int) -> object:
    """Return what JSON can hold as it is packed: numbers as floats, names in canonical order."""
    if not left:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return _ordered({_text(name): _plain(inner, left - 1) for name, inner in value.items()})
    if isinstance(value, list):
        return [_plain(inner, left - 1) for inner in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(number := float(value)):
            raise ValueError("not a finite number")
        return number
    if value is not None and not isinstance(value, bool | str):
        raise ValueError(f"{type(value).__name__} is no JSON")
    return value


def _from_plain(value: object) -> object:
    """The other way round; depth and number of values were bounded when the CBOR was read."""
    if isinstance(value, dict):
        return {_text(name): _from_plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_from_plain(inner) for inner in value]
    if isinstance(value, bytes):
        raise DocumentError("packed server entry has bytes where JSON has none")
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
        exact = number.is_integer() and abs(number) < _MAX_EXACT and not _is_minus_zero(number)
        return int(number) if exact else number
    return value


def _is_minus_zero(number: float) -> bool:
    return number == 0 and math.copysign(1, number) < 0


def _ordered(members: dict[str, object]) -> dict[str, object]:
    """Sort as CTAP2 does, by the encoded name: that begins with its length."""
    return dict(sorted(members.items(), key=lambda member: _sort_key(member[0])))


def _sort_key(name: str) -> tuple[int, bytes]:
    encoded = name.encode()
    return len(encoded), encoded


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise DocumentError("server entry has a field whose name is not a text")
    return name
