"""What an entry announces, so that no client tries what it cannot do (operations spec §1.3).

Operators know capabilities by what a server does; clients of many ages know them by how it does it.
"""

from typing import Final

from headrace.documents.capabilities import SHIPPED_PREFIXES, SSH_API_REQUESTS
from headrace.network.model import Host, Server

__all__ = ["DEFAULT_CAPABILITIES", "published_capabilities"]

#: What a server of ours does unless more is asked of it.
DEFAULT_CAPABILITIES: Final = ("SSH", "OSSH", SHIPPED_PREFIXES)

_HTTPS: Final = 443
_NEVER: Final = "FRONTED-MEEK-BROKER"
#: Whose handshake can be passed through to another server.
_PASSED_THROUGH: Final = ("UNFRONTED-MEEK-HTTPS", "UNFRONTED-MEEK-SESSION-TICKET")


def published_capabilities(host: Host, server: Server) -> list[str]:
    """Return the capabilities of a server as its entry has them."""
    published = [_published(name, host) for name in server.capabilities if name != _NEVER]
    if "FRONTED-MEEK" in published and host.fronting_hosts:
        published.append("FRONTED-MEEK-HTTP")
    return list(dict.fromkeys([SSH_API_REQUESTS, *published]))


def _published(name: str, host: Host) -> str:
    if name == "QUIC" and not host.gquic:
        return "QUICv1"
    if name == "UNFRONTED-MEEK" and host.meek_port == _HTTPS:
        name = "UNFRONTED-MEEK-HTTPS"
    if name in _PASSED_THROUGH and host.passthrough_address:
        return f"{name}-PASSTHROUGH-v2" if host.passthrough_version == 2 else f"{name}-PASSTHROUGH"
    return name
