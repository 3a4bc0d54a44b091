"""Traffic rules: any file gives limits for every client or is refused with a DocumentError that names it."""

import ipaddress

from headrace.base.errors import DocumentError
from headrace.documents.traffic_rules import ClientTraits, read_traffic_rules

_CLIENTS = (
    ClientTraits(tunnel_protocol="OSSH"),
    ClientTraits(tunnel_protocol="SSH", region="NL", handshake={"client_version": "1"}, first_tunnel=False),
)
_ADDRESS = ipaddress.ip_address("192.0.2.1")

SEEDS = [
    (
        b'{"DefaultRules":{"RateLimits":{"ReadBytesPerSecond":5},"AllowTCPPorts":[80,[1,9]],"DisallowSubnets":'
        b'["192.0.2.0/24"]},"FilteredRules":[{"Filter":{"Regions":["NL"],"HandshakeParameters":{"client_version":'
        b'["[0-9]*"]}},"Rules":{"MaxTCPPortForwardCount":3}}]}'
    ),
]


def fuzz(data: bytes) -> None:
    """`data` is the file."""
    try:
        rules = read_traffic_rules(data, "fuzzed.config")
    except DocumentError as error:
        assert str(error).startswith("fuzzed.config: ")
        return
    for client in _CLIENTS:
        limits = rules.limits_for(client)
        assert min(limits.read_bytes_per_second, limits.max_tcp, limits.dial_tcp_timeout) >= 0
        limits.tcp.allows(_ADDRESS, 443)
        limits.udp.allows(_ADDRESS, 53)
