"""Tunnel protocols and the capabilities that announce them (server lists spec §1.3)."""

from collections.abc import Collection, Iterable

__all__ = [
    "IMPLEMENTED_PROTOCOLS",
    "NEVER_USED",
    "OFF_BY_DEFAULT",
    "SHIPPED_PREFIXES",
    "SSH_API_REQUESTS",
    "TUNNEL_PROTOCOLS",
    "allowed_protocols",
    "capability_name",
    "has_capability",
    "is_fronted",
    "is_inproxy",
    "is_intensive",
    "is_meek",
    "is_quic",
    "needs_direct_udp",
    "tactics_capability_name",
]

_DIRECT = (
    "SSH",
    "OSSH",
    "TLS-OSSH",
    "UNFRONTED-MEEK-OSSH",
    "UNFRONTED-MEEK-HTTPS-OSSH",
    "UNFRONTED-MEEK-SESSION-TICKET-OSSH",
    "FRONTED-MEEK-OSSH",
    "FRONTED-MEEK-HTTP-OSSH",
    "QUIC-OSSH",
    "FRONTED-MEEK-QUIC-OSSH",
    "TAPDANCE-OSSH",
    "CONJURE-OSSH",
    "SHADOWSOCKS-OSSH",
)
_REFRACTION = ("TAPDANCE-OSSH", "CONJURE-OSSH")
_INPROXY = "INPROXY-WEBRTC-"

TUNNEL_PROTOCOLS = _DIRECT + tuple(_INPROXY + name for name in _DIRECT if name not in _REFRACTION)
"""All protocols of the network, in selection order."""

IMPLEMENTED_PROTOCOLS = ("SSH", "OSSH")
"""Those this program speaks."""

OFF_BY_DEFAULT = frozenset(
    name
    for name in TUNNEL_PROTOCOLS
    if name == "FRONTED-MEEK-QUIC-OSSH" or name in _REFRACTION or name.startswith(_INPROXY)
)
"""Used only when a protocol limit names them."""

NEVER_USED = frozenset({"TAPDANCE-OSSH"})

SHIPPED_PREFIXES = "shipped-prefixes-1"
"""Capability of a server of ours: it answers the prefixes that we ship, and takes frames behind them."""

SSH_API_REQUESTS = "ssh-api-requests"
"""Capability of every server that takes API requests through the tunnel."""

_PASSED_THROUGH_TLS = (
    "UNFRONTED-MEEK-HTTPS-PASSTHROUGH-v2",
    "UNFRONTED-MEEK-SESSION-TICKET-PASSTHROUGH-v2",
)


def capability_name(protocol: str) -> str:
    """Return the capability that announces `protocol`."""
    return protocol if is_inproxy(protocol) else protocol.removesuffix("-OSSH")


def tactics_capability_name(protocol: str) -> str:
    """Return the capability of answering tactics requests over `protocol`."""
    return capability_name(protocol) + "-TACTICS"


def has_capability(capabilities: Iterable[str], required: str) -> bool:
    """True when one of `capabilities` says `required`, the suffixes of masked servers seen through."""
    return any(_says(capability, required) for capability in capabilities)


def _says(capability: str, required: str) -> bool:
    plain = capability.replace("-PASSTHROUGH-v2", "").replace("-PASSTHROUGH", "")
    if plain == "QUICv1":
        plain = "QUIC"
    return plain == required or (required == "TLS" and capability in _PASSED_THROUGH_TLS)


def is_inproxy(protocol: str) -> bool:
    return protocol.startswith("INPROXY-WEBRTC")


def is_meek(protocol: str) -> bool:
    return "MEEK" in protocol


def is_fronted(protocol: str) -> bool:
    return protocol.removeprefix(_INPROXY).startswith("FRONTED-MEEK")


def is_quic(protocol: str) -> bool:
    return "QUIC" in protocol


def needs_direct_udp(protocol: str) -> bool:
    """True for what cannot go through an upstream proxy."""
    return is_inproxy(protocol) or is_quic(protocol) or protocol in _REFRACTION


def is_intensive(protocol: str) -> bool:
    """True for what costs the device much: left out where resources are short."""
    return is_meek(protocol) or needs_direct_udp(protocol)


def allowed_protocols(
    limit: Collection[str] = (), *, upstream_proxy: bool = False, exclude_intensive: bool = False
) -> list[str]:
    """Return the protocols that may be tried at all, in selection order.

    An empty `limit` means none: then protocols off by default stay off.
    """
    return [
        protocol
        for protocol in TUNNEL_PROTOCOLS
        if protocol not in NEVER_USED
        and (protocol in limit if limit else protocol not in OFF_BY_DEFAULT)
        and not (upstream_proxy and needs_direct_udp(protocol))
        and not (exclude_intensive and is_intensive(protocol))
    ]
