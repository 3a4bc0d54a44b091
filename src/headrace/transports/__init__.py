"""Tunnel protocols: what each puts between TCP and SSH. A new one is a module here and a line below."""

from headrace.base.errors import OperatorError
from headrace.transports import ossh, ssh
from headrace.transports.contract import ClientSide, ServerSide, TunnelProtocol

__all__ = ["TUNNEL_PROTOCOLS", "ClientSide", "ServerSide", "TunnelProtocol", "tunnel_protocol"]

#: In selection order (server lists spec §1.3).
TUNNEL_PROTOCOLS: dict[str, TunnelProtocol] = {module.NAME: module.PROTOCOL for module in (ssh, ossh)}


def tunnel_protocol(name: str) -> TunnelProtocol:
    """Return the protocol of this name. Raises OperatorError naming those there are."""
    try:
        return TUNNEL_PROTOCOLS[name]
    except KeyError:
        known = ", ".join(TUNNEL_PROTOCOLS)
        raise OperatorError(f"{name} is not a tunnel protocol this program speaks; it has {known}") from None
