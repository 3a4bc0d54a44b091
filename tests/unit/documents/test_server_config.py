"""Server configuration files."""

import json

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.entry_fields import encode_fields
from headrace.documents.server_config import ServerConfig, examine_server_config, read_server_config

GENERATED: dict[str, object] = {
    "LogLevel": "info",
    "LogFormat": "json",
    "DiscoveryValueHMACKey": "UxIuh3NgVZBNZOZJm1Ypx7H80L2mq8fqnDW+FiwQ2ks=",
    "HostID": "example-host-id",
    "ServerIPAddress": "192.0.2.1",
    "TunnelProtocolPorts": {"OSSH": 3001, "SSH": 3002},
    "SSHPrivateKey": "-----BEGIN RSA PRIVATE KEY-----",
    "SSHServerVersion": "SSH-2.0-OpenSSH_9.6",
    "SSHUserName": "psiphon_b07dd2c2c60fb08b",
    "SSHPassword": "6187",
    "ObfuscatedSSHKey": "2e14",
    "UDPInterceptUdpgwServerAddress": "127.0.0.1:7300",
    "DNSResolverIPAddress": "8.8.8.8",
    "LoadMonitorPeriodSeconds": 300,
    "TrafficRulesFilename": "traffic-rules.config",
    "OwnEncodedServerEntries": {"tag": encode_fields({"ipAddress": "192.0.2.1"})},
}


def read(changes: dict[str, object], **overrides: object) -> ServerConfig:
    return read_server_config(json.dumps(GENERATED | changes).encode(), "server.config", overrides)


def test_a_generated_file() -> None:
    config = read({})
    assert config.server_ip_address == "192.0.2.1"
    assert config.protocol_ports == {"OSSH": 3001, "SSH": 3002}
    assert config.udpgw_address == ("127.0.0.1", 7300)
    assert config.ssh_begin_handshake_timeout_milliseconds == 1_000
    assert config.ssh_handshake_timeout_milliseconds == 0
    assert config.unknown_fields == ["LogFormat"]
    assert config.unsupported_protocols == []
    assert config.testing_settings == []


def test_names_match_in_any_case() -> None:
    config = read(
        {"allowbogons": True, "GEOIPDATABASEFILENAMES": ["a.mmdb"], "maxconcurrentsshhandshakes": 5}
    )
    assert config.allow_bogons
    assert config.geo_ip_database_filenames == ["a.mmdb"]
    assert config.max_concurrent_ssh_handshakes == 5


def test_our_own_fields() -> None:
    config = read({"Workers": 2, "AllowForwardsBeforeHandshake": True})
    assert config.workers == 2
    assert config.testing_settings == ["AllowForwardsBeforeHandshake"]
    assert read({}, AllowBogons=True).testing_settings == ["AllowBogons"]


def test_other_protocols_are_listed_not_refused() -> None:
    config = read({"TunnelProtocolPorts": {"OSSH": 1, "QUIC-OSSH": 2, "TLS-OSSH": 3}})
    assert config.protocol_ports == {"OSSH": 1}
    assert config.unsupported_protocols == ["QUIC-OSSH", "TLS-OSSH"]


def test_plain_ssh_needs_no_obfuscation_key() -> None:
    assert read({"TunnelProtocolPorts": {"SSH": 22}, "ObfuscatedSSHKey": None}).obfuscated_ssh_key == ""


def test_udpgw_address() -> None:
    assert read({"UDPInterceptUdpgwServerAddress": "[::1]:7300"}).udpgw_address == ("::1", 7300)
    assert read({"UDPInterceptUdpgwServerAddress": ""}).udpgw_address is None


def test_the_web_server_for_strangers() -> None:
    assert read({}).front_place is None
    assert read({"HTTPFront": "127.0.0.1:8080"}).front_place == ("127.0.0.1", 8080)
    assert read({"HTTPFront": "[::1]:8080"}).front_place == ("::1", 8080)
    assert read({"HTTPFront": "/run/web/socket"}).front_place == "/run/web/socket"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"ServerIPAddress": ""}, "ServerIPAddress: is missing: add this server's public address"),
        ({"ServerIPAddress": "example.org"}, "ServerIPAddress: is not an IP address"),
        ({"ServerIPAddress": "fe80::1%eth0"}, "ServerIPAddress: is not an IP address"),
        ({"TunnelProtocolPorts": {"OSHS": 1}}, "TunnelProtocolPorts: OSHS is no tunnel protocol"),
        ({"TunnelProtocolPorts": {"OSSH": 65536}}, "TunnelProtocolPorts: OSSH has port 65536"),
        ({"TunnelProtocolPorts": {"OSSH": "1"}}, "TunnelProtocolPorts.*expected a whole number, got text"),
        ({"TunnelProtocolPorts": {}}, "TunnelProtocolPorts: nothing to listen on: add SSH or OSSH"),
        ({"TunnelProtocolPorts": {"QUIC-OSSH": 1}}, "TunnelProtocolPorts: nothing to listen on"),
        (
            {"TunnelProtocolPorts": {"OSSH": 1, "SSH": 1}},
            "TunnelProtocolPorts: OSSH and SSH both have port 1: give each protocol one of its own",
        ),
        ({"LoadLimits": {"Inbound": 94}}, "LoadLimits: Inbound 94.* is more than there is: write a part"),
        ({"LoadLimits": {"inbound": -1}}, "LoadLimits: Inbound -1.* is below zero"),
        ({"DestinationBytesASNs": ["AS1"]}, "DestinationBytesASNs: AS1 is no AS number"),
        ({"SSHPrivateKey": ""}, "SSHPrivateKey: is missing"),
        ({"SSHPassword": None}, "SSHPassword: is missing"),
        ({"ObfuscatedSSHKey": ""}, "ObfuscatedSSHKey: is missing: OSSH needs it"),
        ({"SSHServerVersion": "OpenSSH"}, "SSHServerVersion: must start with SSH-2.0-"),
        ({"SSHServerVersion": "SSH-2.0-a\r\nb"}, "SSHServerVersion: must start with SSH-2.0-"),
        ({"Workers": -1}, "Workers: -1 is below zero"),
        ({"UDPInterceptUdpgwServerAddress": "7300"}, "UDPInterceptUdpgwServerAddress: write an address"),
        (
            {"UDPInterceptUdpgwServerAddress": "127.0.0.1:0"},
            "UDPInterceptUdpgwServerAddress: write an address",
        ),
        ({"HTTPFront": "192.0.2.7:80"}, "HTTPFront: write a loopback address and a port"),
        ({"HTTPFront": "localhost:80"}, "HTTPFront: write a loopback address and a port"),
        ({"HTTPFront": "run/socket"}, "HTTPFront: write a loopback address and a port"),
        ({"HTTPFront": "127.0.0.1:3001"}, "HTTPFront: is one of this server's own ports"),
        ({"DNSResolverIPAddress": "resolver"}, "DNSResolverIPAddress: is not an IP address"),
        ({"LogLevel": "loud"}, "LogLevel: loud is none of panic, fatal"),
        (
            {"OwnEncodedServerEntries": {"abcdefghijk": "x"}},
            "OwnEncodedServerEntries: entry abcdefgh: server entry",
        ),
    ],
)
def test_mistakes_name_file_field_and_remedy(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(DocumentError, match="^server.config: " + problem):
        read(changes)


def test_everything_that_is_wrong_is_found_at_once() -> None:
    fields = {
        **GENERATED,
        "ServerIPAddress": "somewhere",
        "Workers": "two",
        "TunnelProtocolPorts": {"OSSH": "53"},
        "DrainSeconds": -1,
        "LogLevl": "debug",
    }
    config, problems = examine_server_config(fields)
    assert problems == [
        "TunnelProtocolPorts[...]: expected a whole number, got text: write it without quotes",
        "Workers: expected a whole number, got text: write it without quotes",
        "ServerIPAddress: is not an IP address",
        "DrainSeconds: -1 is below zero: write zero or more",
    ]
    assert config.unknown_fields == ["LogFormat", "LogLevl"]
    assert examine_server_config(GENERATED)[1] == []
