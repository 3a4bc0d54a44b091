"""What an API request, or a statistic in one, must or may carry, and in what form (tunnel spec §5).

Deployed clients come in many versions, so the forms are those that deployed servers insist on and no tighter.
What is optional and not listed is not checked.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from headrace.base.errors import RemoteProtocolError
from headrace.codec.packed_parameter_keys import PARAMETER_KEYS
from headrace.documents.capabilities import TUNNEL_PROTOCOLS

__all__ = [
    "BASE",
    "CONNECTED",
    "FAILED_TUNNEL",
    "HANDSHAKE",
    "REMOTE_SERVER_LIST",
    "STATUS",
    "Form",
    "response_padding",
    "split_regions",
    "validate",
]

Form = Callable[[object], bool]
"""Says whether a value is what it should be."""

_MAX_TEXT: Final = 1024  # characters
_MAX_LONG_TEXT: Final = 65_536
_MAX_ITEMS: Final = 64
_MAX_REGIONS: Final = 250  # as many countries as there are
_MAX_PADDING: Final = 16_384
#: Known to the network, but of no use to anybody once the request is answered, or nothing to hold on to.
_NOT_KEPT: Final = frozenset(
    ("authorizations", "client_session_id", "pad_response", "padding", "session_id", "statusData")
)
_KEPT: Final = frozenset(name for name, _ in PARAMETER_KEYS.values()) - _NOT_KEPT


def _text(pattern: str, most: int = _MAX_TEXT) -> Form:
    matches = re.compile(pattern, re.ASCII).fullmatch
    return lambda value: isinstance(value, str) and len(value) <= most and matches(value) is not None


def _texts(item: Form, most: int = _MAX_ITEMS) -> Form:
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(item, value))


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


_ANY = _text(r"(?s:.*)")
_LONG = _text(r"(?s:.*)", _MAX_LONG_TEXT)
_HEX = _text(r"[0-9A-Fa-f]*")
_INTEGER = _text(r"[+-]?\d{1,19}")
_NUMBER = _text(r"[+-]?\d{1,19}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?")
_FLAG = _text(r"[01]")
_REGION = _text(r"[A-Z]{2}")
_BASE64 = _text(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_TIME_TEXT = _text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)")


def _is_time(value: object) -> bool:
    if not _TIME_TEXT(value):
        return False
    try:
        datetime.fromisoformat(str(value))
    except ValueError:  # a month of 13
        return False
    return True


def _is_time_or_none(value: object) -> bool:
    return value == "None" or _is_time(value)


BASE: Final[Mapping[str, Form]] = {
    "propagation_channel_id": _HEX,
    "sponsor_id": _text(r"[0-9A-Fa-f]{16}"),
    "client_version": _INTEGER,
    "client_platform": _text(r"\S*"),
}
"""What every request must carry."""

HANDSHAKE: Final = {**BASE, "relay_protocol": _text("|".join(TUNNEL_PROTOCOLS))}
CONNECTED: Final = {**BASE, "last_connected": _is_time_or_none}
STATUS: Final = {**BASE, "statusData": _is_object}
FAILED_TUNNEL: Final = {
    **HANDSHAKE,
    "session_id": _HEX,
    "last_connected": _is_time_or_none,
    "client_failed_timestamp": _is_time,
    "tunnel_error": _LONG,
}
REMOTE_SERVER_LIST: Final = {**BASE, "client_download_timestamp": _is_time, "url": _LONG, "etag": _ANY}

_OPTIONAL: Final[Mapping[str, Form]] = {
    "authenticated": _FLAG,
    "authorizations": _texts(lambda value: isinstance(value, str)),
    "bytes": _INTEGER,
    "bytes_down": _INTEGER,
    "bytes_up": _INTEGER,
    "candidate_number": _INTEGER,
    "client_build_rev": _HEX,
    "client_features": _texts(_ANY),
    "device_location": _ANY,
    "device_region": _ANY,
    "dial_duration": _INTEGER,
    "dial_port_number": _INTEGER,
    "duration": _INTEGER,
    "egress_region": _REGION,
    "established_tunnels_count": _INTEGER,
    "establishment_duration": _INTEGER,
    "is_replay": _FLAG,
    "liveness_test_downstream_bytes": _INTEGER,
    "liveness_test_received_downstream_bytes": _INTEGER,
    "liveness_test_sent_upstream_bytes": _INTEGER,
    "liveness_test_upstream_bytes": _INTEGER,
    "missing_server_entry_provider_id": _BASE64,
    "missing_server_entry_signature": _BASE64,
    "network_type": _ANY,
    "ossh_prefix": _ANY,
    "pad_response": _INTEGER,
    "psiphon_api_response_version": _INTEGER,
    "record_probability": _NUMBER,
    "server_entry_region": _REGION,
    "server_entry_source": _text(r"EMBEDDED|REMOTE|DISCOVERY|TARGET|OBFUSCATED|EXCHANGED|DSL-.*|PUSH-.*"),
    "server_entry_tag": _ANY,
    "server_entry_timestamp": _is_time,
    "split_tunnel": _FLAG,
    "split_tunnel_regions": _texts(_REGION, _MAX_REGIONS),
    "ssh_client_version": _ANY,
    "tunneled": _FLAG,
    "upstream_proxy_type": _text(r"http|socks5|socks4a"),
}


def validate(parameters: Mapping[str, object], required: Mapping[str, Form]) -> dict[str, object]:
    """Check the parameters of a request or statistic; return those worth keeping. Raises RemoteProtocolError.

    `required` is one of the tables above. The error names parameters, never what they hold.
    """
    for name, has_form in required.items():
        if name not in parameters:
            raise RemoteProtocolError(f"API parameter {name} is missing")
        if not has_form(parameters[name]):
            raise RemoteProtocolError(f"API parameter {name} is malformed")
    for name in _OPTIONAL.keys() & parameters.keys():
        # Clients send the empty text for many parameters they have no value for.
        if parameters[name] != "" and not _OPTIONAL[name](parameters[name]):
            raise RemoteProtocolError(f"API parameter {name} is malformed")
    return {name: value for name, value in parameters.items() if name in _KEPT and _is_small(value)}


def split_regions(parameters: Mapping[str, object], own_region: str) -> frozenset[str]:
    """Return the countries that a client reaches directly. The handshake's parameters have been validated."""
    regions = parameters.get("split_tunnel_regions")
    own = [own_region] if parameters.get("split_tunnel") == "1" else []
    return frozenset((*own, *regions) if isinstance(regions, list) else own)


def response_padding(parameters: Mapping[str, object]) -> str:
    """Return the padding the client wants the reply to have. The parameters have been validated."""
    wanted = parameters.get("pad_response") or "0"
    assert isinstance(wanted, str)
    return " " * max(0, min(int(wanted), _MAX_PADDING))


def _is_small(value: object) -> bool:
    return _ANY(value) or _texts(_ANY)(value)
