"""One place says which protocol is on which port, and what is made of a server agrees with it."""

import json
from pathlib import Path

import pytest
from tests.unit.network.networks import build_network

from headrace.documents.capabilities import TUNNEL_PROTOCOLS
from headrace.documents.server_entry import ServerEntry
from headrace.network.model import Host, Server
from headrace.network.rendering.network import NetworkRendering
from headrace.network.rendering.ports import protocol_ports

PORTS = {
    "ssh_port": 22,
    "ossh_ports": [53, 554, 993],
    "tls_port": 441,
    "quic_port": 442,
    "shadowsocks_port": 444,
    "tapdance_port": 445,
    "conjure_port": 446,
    "inproxy_ssh_port": 447,
    "inproxy_ossh_port": 448,
    "inproxy_quic_port": 449,
}


def ports(*capabilities: str, meek_port: int = 80, **columns: object) -> dict[str, int]:
    return protocol_ports(
        Host(meek_port=meek_port), Server(capabilities=list(capabilities), **PORTS | columns)
    )


@pytest.mark.parametrize(
    ("capability", "meek_port", "expected"),
    [
        ("SSH", 80, {"SSH": 22}),
        ("OSSH", 80, {"OSSH": 993}),
        ("TLS", 80, {"TLS-OSSH": 441}),
        ("QUIC", 80, {"QUIC-OSSH": 442}),
        ("SHADOWSOCKS", 80, {"SHADOWSOCKS-OSSH": 444}),
        ("TAPDANCE", 80, {"TAPDANCE-OSSH": 445}),
        ("CONJURE", 80, {"CONJURE-OSSH": 446}),
        ("FRONTED-MEEK", 80, {"FRONTED-MEEK-OSSH": 80}),
        ("FRONTED-MEEK-QUIC", 80, {"FRONTED-MEEK-QUIC-OSSH": 80}),
        ("FRONTED-MEEK-TACTICS", 80, {}),
        ("FRONTED-MEEK-BROKER", 80, {}),
        ("UNFRONTED-MEEK", 80, {"UNFRONTED-MEEK-OSSH": 80}),
        ("UNFRONTED-MEEK", 443, {"UNFRONTED-MEEK-HTTPS-OSSH": 443}),
        ("UNFRONTED-MEEK-SESSION-TICKET", 443, {"UNFRONTED-MEEK-SESSION-TICKET-OSSH": 443}),
        ("INPROXY-WEBRTC-SSH", 80, {"INPROXY-WEBRTC-SSH": 447}),
        ("INPROXY-WEBRTC-OSSH", 80, {"INPROXY-WEBRTC-OSSH": 448}),
        ("INPROXY-WEBRTC-QUIC", 80, {"INPROXY-WEBRTC-QUIC-OSSH": 449}),
        ("ssh-api-requests", 80, {}),
    ],
)
def test_each_capability_has_its_port(capability: str, meek_port: int, expected: dict[str, int]) -> None:
    assert ports(capability, meek_port=meek_port) == expected


def test_all_protocols_are_ones_that_there_are() -> None:
    every = ports(
        *("SSH", "OSSH", "TLS", "QUIC", "SHADOWSOCKS", "TAPDANCE", "CONJURE"),
        *("FRONTED-MEEK", "FRONTED-MEEK-QUIC", "UNFRONTED-MEEK", "UNFRONTED-MEEK-SESSION-TICKET"),
    )
    assert every.keys() <= set(TUNNEL_PROTOCOLS)
    assert len(every) == 11


def test_with_meek_the_first_port_for_obfuscated_ssh_is_announced() -> None:
    assert ports("OSSH", "FRONTED-MEEK")["OSSH"] == 53
    assert ports("OSSH", "UNFRONTED-MEEK-SESSION-TICKET")["OSSH"] == 53
    assert ports("OSSH", "TLS")["OSSH"] == 993


def test_without_a_port_there_is_no_obfuscated_ssh() -> None:
    assert ports("OSSH", ossh_ports=[]) == {}


def test_the_entry_and_the_configuration_agree(tmp_path: Path) -> None:
    with build_network(tmp_path, servers_per_role=1, channels=1) as book:
        with book.change("ann", "test") as change:
            change.server("198.18.0.1").ossh_ports = [53, 554, 993]
        with book.view() as view:
            server, rendering = view.server("198.18.0.1"), NetworkRendering(view)
            expected = protocol_ports(server.host, server)
            entry = ServerEntry.decode(rendering.entries.encoded(server))
            configuration = json.loads(rendering.host_files(server.host)["psiphond.config"])
    assert expected["OSSH"] == 993
    assert configuration["TunnelProtocolPorts"] == expected
    assert {name: entry.dial_port(name) for name in expected} == expected
