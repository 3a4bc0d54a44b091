"""The server's answer to the API handshake, as JSON or as CBOR (tunnel spec §5).

Members that are empty or zero are left out. In CBOR they are numbered from 1 in the order of the fields below.
"""

import dataclasses
from dataclasses import dataclass
from datetime import datetime

import msgspec

from headrace.base.errors import RemoteProtocolError
from headrace.codec import bounded_cbor

__all__ = ["HandshakeResponse", "decode_handshake_response"]

_MAX_BYTES = 256 * 1024


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
    tactics_payload: msgspec.Raw = msgspec.Raw(b"")  # JSON, or compressed in CBOR
    tactics_payload_compression: int = 0
    upstream_bytes_per_second: int = 0
    downstream_bytes_per_second: int = 0
    steering_ip: str = ""
    padding: str = ""

    def to_json(self) -> bytes:
        """Return the JSON form."""
        return msgspec.json.encode({name: value for name, value in self._present()})

    def to_cbor(self) -> bytes:
        """Return the CBOR form, for clients that asked for response version 1."""
        members = {_KEYS[name]: value for name, value in self._present()}
        if self.tactics_payload:
            members[_KEYS["tactics_payload"]] = bytes(self.tactics_payload)
        return bounded_cbor.encode(members)

    def server_time(self) -> float | None:
        """Return the server's clock in seconds since 1970, None when absent or unreadable."""
        try:
            return datetime.fromisoformat(self.server_timestamp).timestamp()
        except ValueError:
            return None

    def _present(self) -> list[tuple[str, object]]:
        return [(name, value) for name in _KEYS if (value := getattr(self, name))]


_KEYS = {field.name: key for key, field in enumerate(dataclasses.fields(HandshakeResponse), start=1)}
_NAMES = {key: name for name, key in _KEYS.items()}


def decode_handshake_response(payload: bytes) -> HandshakeResponse:
    """Return the response of either form; unknown members are ignored. Raises RemoteProtocolError."""
    try:
        if payload[:1] == b"{":
            if len(payload) > _MAX_BYTES:
                raise RemoteProtocolError(f"handshake response of {len(payload)} bytes")
            members = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
            present = {
                name: raw if name == "tactics_payload" else msgspec.json.decode(raw)
                for name, raw in members.items()
                if name in _KEYS and bytes(raw) != b"null"
            }
        else:
            decoded = bounded_cbor.decode(payload)
            if not isinstance(decoded, dict):
                raise RemoteProtocolError("handshake response is not a map")
            present = {
                _NAMES[key]: value for key, value in decoded.items() if key in _NAMES and value is not None
            }
            tactics = present.get("tactics_payload", b"")
            if not isinstance(tactics, bytes):
                raise RemoteProtocolError("handshake response with ill-typed tactics")
            present["tactics_payload"] = msgspec.Raw(tactics)
        return msgspec.convert(present, HandshakeResponse)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RemoteProtocolError(f"handshake response: {error}") from error
