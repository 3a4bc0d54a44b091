"""What events say of a client: what it said of itself, and where it is, under the network's names.

Left out is what could tell one client from another (its random ids, its location, addresses), and what is of
no use. Times are cut down to the hour: nobody is told more exactly when a client did something.
"""

import math
import re
from collections.abc import Container, Mapping
from datetime import UTC, datetime
from typing import Final

from headrace.codec.packed_parameter_keys import PARAMETER_KEYS
from headrace.server.geoip import Place

__all__ = ["BASE", "place_fields", "request_fields"]

BASE: Final = (
    *("propagation_channel_id", "sponsor_id", "client_version", "client_platform", "client_features"),
    *("client_build_rev", "device_region", "egress_region", "network_type", "applied_tactics_tag"),
)
"""What every client says of itself."""

_LEFT_OUT: Final = re.compile(
    r"authorizations|client_session_id|session_id|device_location|statusData|padding|pad_response"
    r"|stored_tactics_tag|speed_test_samples|missing_server_entry_.*|psiphon_api_response_version"
    r"|.*_ip_address|meek_dial_address|enable_proxy_protocol_headers|(?:inproxy|.*light_proxy)_.*"
)
_FORMS: Final = {
    **{name: form for name, form in PARAMETER_KEYS.values() if not _LEFT_OUT.fullmatch(name)},
    "authenticated": "int_string",  # only ever part of a statistic, which is JSON
}
_FLAGS: Final = frozenset(
    (
        *("authenticated", "conjure_cached", "conjure_empty_packet", "dns_qname_must_match"),
        *("dns_qname_random_casing", "dsl_prioritized", "is_replay", "meek_transformed_host_name"),
        *("quic_dial_early", "quic_did_resume", "quic_disable_client_path_mtu_discovery"),
        *("quic_obfuscated_psk", "quic_sent_ticket", "replay_ignored_change", "split_tunnel"),
        *(
            "tls_did_resume",
            "tls_fragmented",
            "tls_ossh_transformed_host_name",
            "tls_sent_ticket",
            "tunneled",
        ),
    )
)
_TIMES: Final = frozenset(
    ("client_download_timestamp", "client_failed_timestamp", "last_connected", "server_entry_timestamp")
)
_INTEGER: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)


def request_fields(parameters: Mapping[str, object], names: Container[str] = _FORMS) -> dict[str, object]:
    """Return an event's fields from a request's parameters, or a statistic's members.

    What is missing, unknown, or not in its form is left out: this never raises.
    """
    fields = {name: _field(name, value) for name, value in parameters.items() if name in names}
    return {name: value for name, value in fields.items() if value is not None}


def place_fields(place: Place) -> dict[str, object]:
    """Return the fields that say where a client is."""
    parts = {
        "client_region": place.country,
        "client_city": place.city,
        "client_isp": place.isp,
        "client_asn": place.asn,
        "client_aso": place.aso,
    }
    return {name: value.replace(" ", "_") for name, value in parts.items()}


def _field(name: str, value: object) -> object:
    form = _FORMS.get(name)
    if form is None or value == "":
        return None
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str)]
    if not isinstance(value, str):
        return None
    if name in _FLAGS:
        return value == "1"
    if name in _TIMES:
        return _hour(value)
    if form == "int_string":
        return int(value) if _INTEGER.fullmatch(value) else None
    if form == "float_string":
        return _number(value)
    return value.lower() if name == "upstream_proxy_type" else value


def _hour(text: str) -> str | None:
    if text == "None":
        return text
    try:
        hour = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return hour.strftime("%Y-%m-%dT%H:00:00Z")


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
