"""Which tunnel protocol a server speaks on which port (operations spec §1.3).

This is the only place that knows: configuration, entry, firewall and self-test ask here, so they agree.
"""

from typing import Final

from headrace.network.model import Host, Server

__all__ = ["protocol_ports"]

_HTTPS: Final = 443

#: Capability, protocol, and the column of the server that has the port.
_OWN: Final = (
    ("SSH", "SSH", "ssh_port"),
    ("TLS", "TLS-OSSH", "tls_port"),
    ("QUIC", "QUIC-OSSH", "quic_port"),
    ("SHADOWSOCKS", "SHADOWSOCKS-OSSH", "shadowsocks_port"),
    ("TAPDANCE", "TAPDANCE-OSSH", "tapdance_port"),
    ("CONJURE", "CONJURE-OSSH", "conjure_port"),
    ("INPROXY-WEBRTC-SSH", "INPROXY-WEBRTC-SSH", "inproxy_ssh_port"),
    ("INPROXY-WEBRTC-OSSH", "INPROXY-WEBRTC-OSSH", "inproxy_ossh_port"),
    ("INPROXY-WEBRTC-QUIC", "INPROXY-WEBRTC-QUIC-OSSH", "inproxy_quic_port"),
)
#: Capability and protocol, on the host's port for meek.
_MEEK: Final = (
    ("FRONTED-MEEK", "FRONTED-MEEK-OSSH"),
    ("FRONTED-MEEK-QUIC", "FRONTED-MEEK-QUIC-OSSH"),
    ("UNFRONTED-MEEK-SESSION-TICKET", "UNFRONTED-MEEK-SESSION-TICKET-OSSH"),
)


def protocol_ports(host: Host, server: Server) -> dict[str, int]:
    """Return the port of each tunnel protocol that a server speaks.

    Of several ports for obfuscated SSH the last is used, or the first when meek is spoken too; the firewall
    leads the others there.
    """
    has = set(server.capabilities)
    ports = {protocol: int(getattr(server, column)) for name, protocol, column in _OWN if name in has}
    ports.update({protocol: host.meek_port for name, protocol in _MEEK if name in has})
    if "UNFRONTED-MEEK" in has:
        secure = host.meek_port == _HTTPS
        ports["UNFRONTED-MEEK-HTTPS-OSSH" if secure else "UNFRONTED-MEEK-OSSH"] = host.meek_port
    if "OSSH" in has and server.ossh_ports:
        ports["OSSH"] = server.ossh_ports[0 if any("MEEK" in name for name in has) else -1]
    return ports
