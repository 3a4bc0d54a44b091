"""A server that does all that a server can."""

from headrace.network.book import Change
from headrace.network.lifecycle.making import make_host_secrets, make_server_secrets
from headrace.network.model import Server
from headrace.ssh.host_keys import HostKey

__all__ = ["COLUMNS", "with_everything"]

_KEY = HostKey.generate("ed25519")
CAPABILITIES = (
    "TLS",
    "QUIC",
    "SHADOWSOCKS",
    "TAPDANCE",
    "CONJURE",
    "FRONTED-MEEK",
    "FRONTED-MEEK-TACTICS",
    "INPROXY-WEBRTC-SSH",
    "INPROXY-WEBRTC-OSSH",
    "INPROXY-WEBRTC-QUIC",
)
COLUMNS = {
    "tls_port": 441,
    "quic_port": 442,
    "shadowsocks_port": 444,
    "tapdance_port": 445,
    "conjure_port": 446,
    "inproxy_ssh_port": 447,
    "inproxy_ossh_port": 448,
    "inproxy_quic_port": 449,
}
HOST_COLUMNS = {
    "meek_port": 450,
    "fronting_domain": "cdn.example",
    "fronting_host": "front.example",
    "fronting_hosts": [f"alternate-{number}.example" for number in range(9)],
    "fronting_addresses": [f"address-{number}.example" for number in range(9)],
    "fronting_addresses_regex": r"[a-z]{4}\.cdn\.example",
    "fronting_disable_sni": True,
    "fronting_provider_id": "00112233AABBCCDD",
    "limit_quic_versions": ["QUICv1"],
}


def with_everything(change: Change, server: Server) -> None:
    """Have a server do all there is, with all keys that this takes."""
    host = server.host
    made = make_server_secrets(["SHADOWSOCKS"], change.rng, _KEY)
    change.set_secrets(server, {"shadowsocks_key": made.secrets["shadowsocks_key"]})
    shared = make_host_secrets(CAPABILITIES, change.rng)
    change.set_secrets(host, shared.secrets)
    for name, value in {**shared.columns, **HOST_COLUMNS}.items():
        setattr(host, name, value)
    for name, port in COLUMNS.items():
        setattr(server, name, port)
    server.capabilities = [*server.capabilities, *CAPABILITIES]
