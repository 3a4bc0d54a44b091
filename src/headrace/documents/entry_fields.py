"""A server entry as a mapping: the form that is stored, signed and forwarded (server lists §1.1, 1.4, 1.5).

An encoded entry is one line of hexadecimal:

    <ip> SP <port> SP <secret> SP <certificate> SP <JSON object>

The four leading parts are ignored; they matter to very old clients only. The mapping keeps every field,
known or not, so what goes through here comes out whole. Accessors below match names exactly, unlike
`ServerEntry`.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from headrace.base.errors import DocumentError
from headrace.documents.json_canonical import decode_json, encode_canonical

__all__ = [
    "VERSIONS",
    "Fields",
    "configuration_version",
    "decode_fields",
    "derived_tag",
    "diagnostic_id",
    "encode_fields",
    "entry_tag",
    "validate_fields",
]

Fields = Mapping[str, object]

#: A configurationVersion is below this; clients' stores take no other, and may stop at it.
VERSIONS: Final = 2**31 - 1

_PREFIX_FIELDS = ("ipAddress", "webServerPort", "webServerSecret", "webServerCertificate")
_SOURCES = ("EMBEDDED", "REMOTE", "DISCOVERY", "TARGET", "OBFUSCATED", "EXCHANGED")
_SOURCE_PREFIXES = ("DSL-", "PUSH-")
_NOT_HEX = re.compile(r"[^0-9a-fA-F]")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_DIAGNOSTIC_ID_SIZE = 8


def decode_fields(line: str, source: str = "", timestamp: str = "") -> dict[str, object]:
    """Return the fields of an encoded entry. Raises DocumentError.

    A non-empty `source` or `timestamp` takes the place of `localSource` or `localTimestamp`.
    """
    parts = _from_hex(line).split(b" ", len(_PREFIX_FIELDS))
    if len(parts) <= len(_PREFIX_FIELDS):
        raise DocumentError(f"server entry has {len(parts)} of 5 parts; the line may be cut short")
    try:
        fields = decode_json(parts[-1])
    except DocumentError as error:
        raise DocumentError(f"server entry is {error}") from error
    if not isinstance(fields, dict):
        raise DocumentError("server entry is JSON, but not an object")
    if source:
        fields["localSource"] = source
    if timestamp:
        fields["localTimestamp"] = timestamp
    return fields


def encode_fields(fields: Fields) -> str:
    """Return the encoded line, without a line end."""
    prefix = [_text(fields, name) for name in _PREFIX_FIELDS]
    # A space inside a part would shift all that follows; nobody reads the parts, so they can go.
    if not prefix[-1] or any(" " in part for part in prefix):
        prefix = ["0"] * len(_PREFIX_FIELDS)
    return (" ".join(prefix).encode() + b" " + encode_canonical(dict(fields))).hex()


def validate_fields(fields: Fields) -> None:
    """Insist on what every imported entry must have. Raises DocumentError."""
    address = _text(fields, "ipAddress")
    try:
        valid = "%" not in address and bool(ipaddress.ip_address(address))
    except ValueError:
        valid = False
    if not valid:
        raise DocumentError("server entry ipAddress is not an IP address")
    source = _text(fields, "localSource")
    if source not in _SOURCES and not source.startswith(_SOURCE_PREFIXES):
        raise DocumentError("server entry localSource is not a known source")
    if not _is_time(_text(fields, "localTimestamp")):
        raise DocumentError("server entry localTimestamp is not an RFC 3339 time")


def derived_tag(fields: Fields) -> str:
    """Return the tag computed from secret and address, both used as the texts they are."""
    secret, address = _text(fields, "webServerSecret"), _text(fields, "ipAddress")
    return base64.b64encode(hmac.digest(secret.encode(), address.encode(), hashlib.sha256)).decode()


def entry_tag(fields: Fields) -> str:
    """Return the tag that identifies the entry: its own, or the derived one."""
    return _text(fields, "tag") or derived_tag(fields)


def diagnostic_id(tag: str) -> str:
    """Return what names an entry in logs and notices."""
    return tag[:_DIAGNOSTIC_ID_SIZE] if len(tag) >= _DIAGNOSTIC_ID_SIZE else "<unknown>"


def configuration_version(fields: Fields) -> int:
    """Return the version; anything but a number of zero or more counts as 0."""
    version = fields.get("configurationVersion")
    if isinstance(version, bool) or not isinstance(version, int | float):
        return 0
    return max(0, int(version))


def _from_hex(line: str) -> bytes:
    try:
        if line:
            return binascii.unhexlify(line)  # unlike bytes.fromhex, no white space passes
    except ValueError:
        pass  # the reason follows
    if not line:
        raise DocumentError("server entry line is empty")
    if bad := _NOT_HEX.search(line):
        raise DocumentError(f"server entry line is not hexadecimal at character {bad.start() + 1}")
    raise DocumentError(f"server entry line is cut short: {len(line)} hexadecimal digits is an odd number")


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _is_time(text: str) -> bool:
    if not _RFC_3339.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
