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
from headrace.ssh.shaping import CAPABILITY as SHAPING

__all__ = [
    "Circumstances",
    "Identity",
    "about_attempt",
    "base_parameters",
    "connected_parameters",
    "connected_timestamp",
    "encode",
    "handshake_parameters",
    "invalid_tags",
    "password",
    "status_payload",
]

MAX_PADDING = 256
MAX_TIMESTAMP = 64
MAX_TAGS = 10_000


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a server is told about how a tunnel to it came about."""

    network_type: str = ""  #: WIFI, MOBILE, WIRED, VPN or UNKNOWN; not which network it is
    established_tunnels: int = 0  #: that were up already
    dial_duration: float | None = None  #: seconds from the dial to being logged in


def password(identity: Identity, dial: DialParameters) -> str:
    """Return the password for SSH: JSON with the members in the order deployed clients use."""
    members = {
        "SessionId": identity.session_id,
        "SshPassword": dial.entry.ssh_password,
        "ClientCapabilities": ["server-requests", *([SHAPING] if dial.shaping is not None else [])],
        "SponsorId": identity.config.sponsor_id,
    }
    return json.dumps(members, separators=(",", ":"))


def base_parameters(identity: Identity, rng: Rng) -> dict[str, object]:
    """Return what every request carries."""
    return {
        **_about_client(identity),
        "client_session_id": identity.session_id,
        "padding": " " * rng.between(0, MAX_PADDING),
        "pad_response": str(rng.between(0, MAX_PADDING)),
    }


def _about_client(identity: Identity) -> dict[str, object]:
    config = identity.config
    parameters: dict[str, object] = {
        "propagation_channel_id": config.propagation_channel_id,
        "sponsor_id": config.sponsor_id,
        "client_version": config.client_version,
        "client_platform": identity.platform,
    }
    if config.client_features:
        parameters["client_features"] = config.client_features
    if config.device_region:
        parameters["device_region"] = config.device_region
    return parameters


def about_attempt(identity: Identity, dial: DialParameters, network_type: str = "") -> dict[str, object]:
    """Return what there is to say about the client and an attempt of its, without padding and session.

    Two attempts made alike have the same parameters, in the same order. None says where the server is.
    """
    config, entry = identity.config, dial.entry
    optional = {
        "network_type": network_type,
        "egress_region": config.egress_region,
        "server_entry_region": entry.region,
        "server_entry_source": entry.local_source,
        "server_entry_timestamp": entry.local_timestamp[:13] + ":00:00Z" if entry.local_timestamp else "",
        "upstream_proxy_type": _proxy_type(config),
        "ossh_prefix": dial.prefix.name if dial.prefix is not None else "",
    }
    return {
        **_about_client(identity),
        "relay_protocol": dial.protocol,
        "ssh_client_version": dial.identification,
        "is_replay": "1" if dial.is_replay else "0",
        **{name: value for name, value in optional.items() if value},
    }


def handshake_parameters(
    identity: Identity, dial: DialParameters, rng: Rng, circumstances: Circumstances | None = None
) -> dict[str, object]:
    """Return what the handshake carries."""
    known = circumstances or Circumstances()
    entry = dial.entry
    parameters = {
        **base_parameters(identity, rng),
        **about_attempt(identity, dial, known.network_type),
        "candidate_number": str(dial.candidate_number),
        "established_tunnels_count": str(known.established_tunnels),
    }
    if identity.config.authorizations:
        parameters["authorizations"] = identity.config.authorizations
    if identity.config.split_tunnel_own_region:
        parameters["split_tunnel"] = "1"
    if identity.config.split_tunnel_regions:
        parameters["split_tunnel_regions"] = identity.config.split_tunnel_regions
    if known.dial_duration is not None:
        parameters["dial_duration"] = str(round(known.dial_duration * 1000))
    if dial.replay_ignored_change:
        parameters["replay_ignored_change"] = "1"
    if not entry.signature:
        parameters["missing_server_entry_signature"] = entry.effective_tag
    if not entry.provider_id:
        parameters["missing_server_entry_provider_id"] = entry.effective_tag
    return parameters


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
    identity: Identity,
    dial: DialParameters,
    rng: Rng,
    host_bytes: Mapping[str, int],
    more: Mapping[str, object] | None = None,
) -> bytes:
    """Return a whole status request; it is always JSON. `more` holds statistics and tags, by their names."""
    data = {
        "host_bytes": dict(host_bytes),
        "bytes_transferred": 0,
        "page_views": [],
        "https_requests": [],
        **(more or {}),
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
    stamp = _members(reply).get("connected_timestamp")
    return stamp if isinstance(stamp, str) and stamp.isascii() and len(stamp) <= MAX_TIMESTAMP else ""


def invalid_tags(reply: bytes | None) -> list[str]:
    """Return the tags of servers that a status reply says are no more."""
    tags = _members(reply).get("invalid_server_entry_tags")
    return [tag for tag in tags[:MAX_TAGS] if isinstance(tag, str)] if isinstance(tags, list) else []


def _members(reply: bytes | None) -> dict[str, object]:
    try:
        members = json.loads(reply or b"")
    except (ValueError, RecursionError):
        return {}
    return members if isinstance(members, dict) else {}


def _proxy_type(config: ClientConfig) -> str:
    """Return what our proxy speaks: nothing else about it is anybody's business."""
    return config.upstream_proxy_url.partition("://")[0].lower() if config.upstream_proxy_url else ""
