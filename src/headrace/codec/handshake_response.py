"""The server's answer to the API handshake, as JSON or as CBOR (tunnel spec §5).

Members that are empty or zero are left out. In CBOR they are numbered from 1 in the order of the fields
below.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from headrace.base.errors import RemoteProtocolError
from headrace.codec import bounded_cbor

__all__ = ["HandshakeResponse", "decode_handshake_response"]

_MAX_BYTES = 256 * 1024
_TACTICS = "tactics_payload"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeResponse:
    """What a client learns in the handshake. Field names are the wire's."""

    homepages: list[str] = dataclasses.field(default_factory=list)
    upgrade_client_version: str = ""
    page_view_regexes: list[dict[str, str]] = dataclasses.field(default_factory=list)
    https_request_regexes: list[dict[str, str]] = dataclasses.field(default_factory=list)
    encoded_server_list: list[str] = dataclasses.field(default_factory=list)
    client_region: str = ""
    client_address: str = ""
    server_timestamp: str = ""  # RFC 3339
    active_authorization_ids: list[str] = dataclasses.field(default_factory=list)
    tactics_payload: bytes = b""  # opaque here: JSON text in the JSON form, CBOR in the CBOR form
    tactics_payload_compression: int = 0
    upstream_bytes_per_second: int = 0  # 0: no limit
    downstream_bytes_per_second: int = 0
    steering_ip: str = ""
    padding: str = ""

    def to_json(self) -> bytes:
        """Return the JSON form."""
        members = self._present()
        if self.tactics_payload:
            members[_TACTICS] = msgspec.Raw(self.tactics_payload)
        return msgspec.json.encode(members)

    def to_cbor(self) -> bytes:
        """Return the CBOR form, for clients that asked for response version 1."""
        return bounded_cbor.encode({_KEYS[name]: value for name, value in self._present().items()})

    def server_time(self) -> float | None:
        """Return the server's clock in seconds since 1970, None when absent or unreadable."""
        try:
            return datetime.fromisoformat(self.server_timestamp).timestamp()
        except (ValueError, OverflowError):
            return None

    def _present(self) -> dict[str, object]:
        return {name: value for name in _KEYS if (value := getattr(self, name))}


_KEYS = {field.name: key for key, field in enumerate(dataclasses.fields(HandshakeResponse), start=1)}


def decode_handshake_response(payload: bytes) -> HandshakeResponse:
    """Return the response of either form; unknown members are ignored. Raises RemoteProtocolError."""
    members = _from_json(payload) if payload[:1] == b"{" else _from_cbor(payload)
    tactics = members.pop(_TACTICS, b"")
    if not isinstance(tactics, bytes):
        raise RemoteProtocolError("handshake response with ill-typed tactics")
    present = {name: members[name] for name in _KEYS if members.get(name) is not None}
    try:
        response = msgspec.convert(present, HandshakeResponse)
    except msgspec.ValidationError as error:
        raise RemoteProtocolError(f"handshake response: {error}") from error
    return dataclasses.replace(response, tactics_payload=tactics)


def _from_json(payload: bytes) -> dict[str, object]:
    if len(payload) > _MAX_BYTES:
        raise RemoteProtocolError(f"handshake response of {len(payload)} bytes")
    try:
        raw = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
        members: dict[str, object] = {
            name: msgspec.json.decode(value) for name, value in raw.items() if name != _TACTICS
        }
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"handshake response: {error}") from error
    members[_TACTICS] = bytes(raw.get(_TACTICS, b"")).removesuffix(b"null")
    return members


def _from_cbor(payload: bytes) -> dict[str, object]:
    decoded = bounded_cbor.decode(payload)
    if not isinstance(decoded, Mapping):
        raise RemoteProtocolError("handshake response is not a map")
    return {name: decoded[key] for name, key in _KEYS.items() if key in decoded}
