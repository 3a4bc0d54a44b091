"""A link by which somebody gives access to somebody else: typed, sent in a message, or scanned.

    headrace://connect/1/<base64url>

Behind it, compressed, is CBOR: the client's configuration with its server entries packed, a label, and until
when it may be used. Four bytes of SHA-256 tell damage from what was meant. A link comes from a stranger: of a
configuration it may hold what says how the network is reached, and nothing of this machine, as where files
are kept or who may use the local proxies.
"""

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import cbor2

from headrace.base.errors import DocumentError, RemoteProtocolError
from headrace.codec import bounded_cbor
from headrace.documents.entry_fields import decode_fields, encode_fields
from headrace.documents.packed_entry import pack_entry, unpack_entry

__all__ = [
    "LINK_FIELDS",
    "SCHEME",
    "AccessLink",
    "LinkExpired",
    "is_link",
    "link_fields",
    "make_link",
    "read_link",
]

SCHEME: Final = "headrace://connect/"
"""What every link begins with; a version and a slash come next."""

LINK_FIELDS: Final = frozenset(
    {
        "PropagationChannelId",
        "SponsorId",
        "ClientVersion",
        "EmbeddedServerEntryList",
        "RemoteServerListURLs",
        "RemoteServerListSignaturePublicKey",
        "ObfuscatedServerListRootURLs",
        "ServerEntrySignaturePublicKey",
        "ExchangeObfuscationKey",
        "EgressRegion",
        "LimitTunnelProtocols",
        "InitialLimitTunnelProtocols",
        "InitialLimitTunnelProtocolsCandidateCount",
        "EstablishTunnelWorkTimeSeconds",
        "EstablishTunnelPausePeriodSeconds",
        "FetchRemoteServerListRetryPeriodMilliseconds",
        "ShippedPrefixes",
    }
)
"""The fields of a configuration that a link may set."""

_VERSION: Final = "1"
_ENTRIES: Final = "EmbeddedServerEntryList"
_CHECK_SIZE: Final = 4
#: As much as `bounded_cbor` reads: a configuration with hundreds of servers is below.
_MOST_UNPACKED: Final = 256 << 10
#: In base64, with the white space of mail programs.
_MOST_TEXT: Final = 2 * _MOST_UNPACKED
_MOST_LABEL: Final = 100
_SPACE: Final = re.compile(r"[\s<>]+")


class LinkExpired(DocumentError):
    """The link was good until a time that has passed."""


@dataclass(frozen=True, slots=True)
class AccessLink:
    """What a link says."""

    configuration: Mapping[str, Any]
    expires: datetime | None = None  #: aware
    label: str = ""  #: by whom or for what, for people


def is_link(text: str) -> bool:
    """Say whether a text is meant to be a link, good or not."""
    return text.strip().lstrip("<").lower().startswith("headrace:")


def link_fields(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a configuration a link may hold."""
    return {name: value for name, value in configuration.items() if name in LINK_FIELDS}


def make_link(configuration: Mapping[str, Any], expires: datetime | None = None, label: str = "") -> str:
    """Return the link for a configuration, always the same for the same. Raises DocumentError."""
    if foreign := sorted(configuration.keys() - LINK_FIELDS):
        raise DocumentError(f"a link cannot hold {foreign[0]}: it is a matter of each machine")
    if not _is_label(label):
        raise DocumentError(f"the label of a link is up to {_MOST_LABEL} characters on one line")
    fields = {name: value for name, value in configuration.items() if name != _ENTRIES}
    content: dict[int, Any] = {
        1: fields,
        2: [_pack(line) for line in _lines(configuration.get(_ENTRIES, []))],
    }
    if expires is not None:
        content[3] = int(expires.timestamp())
    if label:
        content[4] = label
    try:
        text = bounded_cbor.encode(content)
        bounded_cbor.decode(text)
    except (RemoteProtocolError, cbor2.CBORError, UnicodeEncodeError, RecursionError) as error:
        raise DocumentError(f"this is too much for a link, or not JSON: {error}") from error
    packed = zlib.compress(text, 9)
    data = base64.urlsafe_b64encode(hashlib.sha256(packed).digest()[:_CHECK_SIZE] + packed)
    return f"{SCHEME}{_VERSION}/{data.decode().rstrip('=')}"


def read_link(text: str, now: datetime) -> AccessLink:
    """Return what a link says. Raises LinkExpired, and DocumentError for one that cannot be used.

    White space and angle brackets, which mail programs add, do no harm.
    """
    if len(text) > _MOST_TEXT:
        raise DocumentError("this is too long for an access link")
    link = _SPACE.sub("", text)
    if link[: len(SCHEME)].lower() != SCHEME:
        raise DocumentError(f"this is not an access link: those begin with {SCHEME}")
    version, _, body = link[len(SCHEME) :].partition("/")
    if version != _VERSION:
        if version.isdecimal() and version.isascii() and len(version) < 4 and int(version) > int(_VERSION):
            raise DocumentError("this access link was made by a newer headrace; install the new version")
        raise DocumentError("this access link is damaged; ask for it again")
    try:
        found = _content(body)
    except (ValueError, DocumentError, RemoteProtocolError, zlib.error, binascii.Error):
        raise DocumentError("this access link is damaged or not whole; ask for it again") from None
    if found.expires is not None and found.expires <= now:
        raise LinkExpired(
            f"this access link was good until {found.expires:%Y-%m-%d %H:%M} UTC; ask whoever gave it to you"
            " for a new one"
        )
    if foreign := sorted(found.configuration.keys() - LINK_FIELDS):
        raise DocumentError(
            f"this access link wants to set {foreign[0]!r} on this machine, and may not; do not use it"
        )
    return found


def _content(body: str) -> AccessLink:
    data = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    # There is one way to write it, so that no bit of it is without meaning.
    if base64.urlsafe_b64encode(data).decode().rstrip("=") != body:
        raise ValueError
    check, packed = data[:_CHECK_SIZE], data[_CHECK_SIZE:]
    if hashlib.sha256(packed).digest()[:_CHECK_SIZE] != check:
        raise ValueError
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(packed, _MOST_UNPACKED)
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError
    content = bounded_cbor.decode(text)
    if not isinstance(content, dict) or not content.keys() <= {1, 2, 3, 4}:
        raise ValueError
    fields, entries = content.get(1), content.get(2, [])
    expires, label = content.get(3), content.get(4, "")
    if (
        not isinstance(fields, dict)
        or not all(isinstance(name, str) for name in fields)
        or not isinstance(entries, list)
        or not (isinstance(label, str) and _is_label(label))
        or not (expires is None or type(expires) is int)
    ):
        raise ValueError
    until = None if expires is None else _time(expires)
    return AccessLink({**fields, _ENTRIES: [_unpack(entry) for entry in entries]}, until, label)


def _is_label(label: str) -> bool:
    return len(label) <= _MOST_LABEL and label.isprintable()


def _time(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError from error


def _lines(entries: Any) -> list[str]:
    lines: list[str] = entries.split() if isinstance(entries, str) else list(entries)
    return lines


def _pack(line: str) -> bytes | str:
    """Return an entry packed, if it comes back as the same line, and as it is otherwise."""
    try:
        packed = pack_entry(decode_fields(line))
        return packed if encode_fields(unpack_entry(packed)) == line else line
    except DocumentError:
        return line


def _unpack(entry: object) -> str:
    if isinstance(entry, bytes):
        return encode_fields(unpack_entry(entry))
    if isinstance(entry, str):
        return entry
    raise ValueError
