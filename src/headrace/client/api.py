"""The client's half of the Psiphon API: what the requests carry (tunnel spec §5)."""

import json
import platform
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace.base.rng import Rng
from headrace.codec.packed_parameters import pack, to_json
from headrace.documents.client_config import ClientConfig
from headrace.establishment.dial_parameters import DialParameters

__all__ = [
    "Identity",
    "connected_parameters",
    "connected_timestamp",
    "encode",
    "handshake_parameters",
    "password",
    "status_payload",
]

MAX_PADDING = 256
MAX_TIMESTAMP = 64


@dataclass(frozen=True, slots=True)
class Identity:
    """How this run of the client presents itself, to every server alike.

    The session ID is random per run unless the configuration fixes it; nothing about the device goes into it.
    """

    config: ClientConfig
    session_id: str
    platform: str = field(default_factory=lambda: f"{platform.system()}_{platform.machine()}")

    @classmethod
    def from_config(cls, config: ClientConfig) -> "Identity":
        session_id = config.session_id or secrets.token_hex(16)
        return (
            cls(config, session_id, config.client_platform)
            if config.client_platform
            else cls(config, session_id)
        )


def password(identity: Identity, dial: DialParameters) -> str:
    """Return the password for SSH: JSON with the members in the order deployed clients use."""
    members = {
        "SessionId": identity.session_id,
        "SshPassword": dial.entry.ssh_password,
        "ClientCapabilities": ["server-requests"],
        "SponsorId": identity.config.sponsor_id,
    }
    return json.dumps(members, separators=(",", ":"))


def base_parameters(identity: Identity, rng: Rng) -> dict[str, object]:
    """Return what every request carries."""
    config = identity.config
    parameters: dict[str, object] = {
        "propagation_channel_id": config.propagation_channel_id,
        "sponsor_id": config.sponsor_id,
        "client_version": config.client_version,
        "client_platform": identity.platform,
        "client_session_id": identity.session_id,
        "padding": " " * rng.between(0, MAX_PADDING),
        "pad_response": str(rng.between(0, MAX_PADDING)),
    }
    if config.client_features:
        parameters["client_features"] = config.client_features
    if config.device_region:
        parameters["device_region"] = config.device_region
    return parameters


def handshake_parameters(identity: Identity, dial: DialParameters, rng: Rng) -> dict[str, object]:
    """Return what the handshake carries."""
    entry = dial.entry
    optional = {
        "egress_region": identity.config.egress_region,
        "server_entry_region": entry.region,
        "server_entry_source": entry.local_source,
        "server_entry_timestamp": entry.local_timestamp[:13] + ":00:00Z" if entry.local_timestamp else "",
        "ossh_prefix": dial.prefix.name if dial.prefix is not None else "",
        "missing_server_entry_signature": "" if entry.signature else entry.effective_tag,
    }
    return {
        **base_parameters(identity, rng),
        "relay_protocol": dial.protocol,
        "ssh_client_version": dial.identification,
        "candidate_number": str(dial.candidate_number),
        "is_replay": "0",
        **{name: value for name, value in optional.items() if value},
    }


def connected_parameters(
    identity: Identity, dial: DialParameters, rng: Rng, last_connected: str, establishment_ms: int
) -> dict[str, object]:
    """Return what the connected request carries; `last_connected` is what the last reply said, or "None"."""
    return {
        **base_parameters(identity, rng),
        "relay_protocol": dial.protocol,
        "last_connected": last_connected or "None",
        "establishment_duration": str(establishment_ms),
    }


def status_payload(
    identity: Identity, dial: DialParameters, rng: Rng, host_bytes: Mapping[str, int]
) -> bytes:
    """Return a whole status request; it is always JSON."""
    data = {
        "host_bytes": dict(host_bytes),
        "bytes_transferred": 0,
        "page_views": [],
        "https_requests": [],
    }
    parameters = {**base_parameters(identity, rng), "relay_protocol": dial.protocol, "statusData": data}
    parameters["server_secret"] = dial.entry.web_server_secret
    return to_json(parameters)


def encode(identity: Identity, dial: DialParameters, parameters: dict[str, object]) -> bytes:
    """Return a request's payload, packed or as JSON as the configuration says."""
    if identity.config.target_api_encoding == "json":
        return to_json({**parameters, "server_secret": dial.entry.web_server_secret})
    return pack(parameters)


def connected_timestamp(reply: bytes | None) -> str:
    """Return what a connected reply says, "" if that could not be repeated in the next request."""
    try:
        members = json.loads(reply or b"")
    except (ValueError, RecursionError):
        return ""
    stamp = members.get("connected_timestamp") if isinstance(members, dict) else None
    return stamp if isinstance(stamp, str) and stamp.isascii() and len(stamp) <= MAX_TIMESTAMP else ""
