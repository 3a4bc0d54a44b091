"""Traffic rules files and the limits they give."""

import ipaddress
import json
from dataclasses import replace

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.traffic_rules import (
    DEFAULT_TRAFFIC_RULES,
    ClientTraits,
    TrafficRules,
    read_traffic_rules,
)

CLIENT = ClientTraits(tunnel_protocol="OSSH", region="NL", handshake={"client_platform": "Linux"})
ADDRESS = ipaddress.ip_address("192.0.2.1")


def read(rules: dict[str, object]) -> TrafficRules:
    return read_traffic_rules(json.dumps(rules).encode(), "rules.config")


def test_defaults() -> None:
    limits = DEFAULT_TRAFFIC_RULES.limits_for(CLIENT)
    assert (limits.dial_tcp_timeout, limits.idle_tcp_timeout, limits.idle_udp_timeout) == (10, 30, 30)
    assert (limits.max_tcp_dialing, limits.max_tcp, limits.max_udp) == (64, 512, 1024)
    assert (limits.read_bytes_per_second, limits.write_bytes_per_second) == (0, 0)
    assert not limits.close_after_exhausted
    assert not limits.disable_discovery
    assert limits.tcp.allows(ADDRESS, 25)
    assert read({}).limits_for(CLIENT) == limits
    assert read({"DefaultRules": None, "FilteredRules": None}).limits_for(CLIENT) == limits


def test_a_file_overrides_the_defaults() -> None:
    rules = read(
        {
            "defaultrules": {
                "ratelimits": {"ReadBytesPerSecond": 1000, "CloseAfterExhausted": True},
                "IdleTCPPortForwardTimeoutMilliseconds": 0,
                "MaxTCPPortForwardCount": 7,
                "AllowTCPPorts": [80, [1000, 2000]],
                "DisallowUDPPorts": [53],
                "DisallowSubnets": ["192.0.2.0/24"],
                "DisallowASNs": ["64496"],
            },
            "MeekRateLimiterHistorySize": 0,
            "Unheard": 1,
        }
    )
    limits = rules.limits_for(CLIENT)
    assert limits.read_bytes_per_second == 1000
    assert limits.close_after_exhausted
    assert limits.idle_tcp_timeout == 0
    assert limits.idle_udp_timeout == 30
    assert limits.max_tcp == 7
    elsewhere = ipaddress.ip_address("198.51.100.1")
    assert limits.tcp.allows(elsewhere, 1500)
    assert not limits.tcp.allows(elsewhere, 443)
    assert not limits.tcp.allows(ADDRESS, 80)
    assert not limits.tcp.allows(elsewhere, 80, "64496")
    assert limits.udp.allows(elsewhere, 443)
    assert not limits.udp.allows(elsewhere, 53)
    assert rules.unknown_fields == ["Unheard"]


def test_the_first_matching_filter_overrides_field_by_field() -> None:
    rules = read(
        {
            "DefaultRules": {"MaxTCPPortForwardCount": 1, "RateLimits": {"ReadBytesPerSecond": 1}},
            "FilteredRules": [
                {"Filter": {"Regions": ["DE"]}, "Rules": {"MaxTCPPortForwardCount": 2}},
                {
                    "Filter": {"Regions": ["NL"]},
                    "ExceptFilter": {"HandshakeParameters": {"client_platform": ["Linux"]}},
                    "Rules": {"MaxTCPPortForwardCount": 3},
                },
                {
                    "Filter": {"Regions": ["NL"]},
                    "Rules": {"MaxUDPPortForwardCount": 4, "RateLimits": {"WriteBytesPerSecond": 5}},
                },
                {"Rules": {"MaxTCPPortForwardCount": 6}},
            ],
        }
    )
    limits = rules.limits_for(CLIENT)
    assert (limits.max_tcp, limits.max_udp) == (1, 4)
    assert (limits.read_bytes_per_second, limits.write_bytes_per_second) == (1, 5)
    assert rules.limits_for(replace(CLIENT, handshake=None)).max_tcp == 3
    assert rules.limits_for(replace(CLIENT, region="DE")).max_tcp == 2
    assert rules.limits_for(replace(CLIENT, region="FR")).max_tcp == 6


def test_rates_before_the_handshake() -> None:
    rates = {
        "ReadBytesPerSecond": 1,
        "EstablishmentReadBytesPerSecond": 2,
        "EstablishmentWriteBytesPerSecond": 3,
    }
    rules = read({"DefaultRules": {"RateLimits": rates}})
    before = rules.limits_for(replace(CLIENT, handshake=None))
    assert (before.read_bytes_per_second, before.write_bytes_per_second) == (2, 3)
    after = rules.limits_for(CLIENT)
    assert (after.read_bytes_per_second, after.write_bytes_per_second) == (1, 0)


def test_an_allowance_for_the_first_tunnel_only() -> None:
    rates = {"ReadUnthrottledBytes": 1, "WriteUnthrottledBytes": 2, "UnthrottleFirstTunnelOnly": True}
    rules = read({"DefaultRules": {"RateLimits": rates}})
    first, second = (rules.limits_for(replace(CLIENT, first_tunnel=is_first)) for is_first in (True, False))
    assert (first.read_unthrottled_bytes, first.write_unthrottled_bytes) == (1, 2)
    assert (second.read_unthrottled_bytes, second.write_unthrottled_bytes) == (0, 0)


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"DefaultRules": {"AllowTCPPorts": [0]}}, "DefaultRules.AllowTCPPorts: 0 is neither"),
        (
            {"DefaultRules": {"DisallowUDPPorts": [[2, 1]]}},
            r"DefaultRules.DisallowUDPPorts: \[2, 1\] is neither",
        ),
        ({"DefaultRules": {"AllowTCPPorts": [True]}}, r"DefaultRules.AllowTCPPorts\[0\]: expected"),
        (
            {"DefaultRules": {"MaxTCPPortForwardCount": -1}},
            "DefaultRules.MaxTCPPortForwardCount: -1 is below",
        ),
        (
            {"DefaultRules": {"RateLimits": {"ReadBytesPerSecond": -1}}},
            "DefaultRules.RateLimits.ReadBytesPerSecond: -1 is below zero",
        ),
        ({"DefaultRules": {"AllowSubnets": ["x"]}}, "DefaultRules.AllowSubnets: x is no subnet"),
        ({"DefaultRules": {"DisallowASNs": ["AS1"]}}, "DefaultRules.DisallowASNs: AS1 is no AS number"),
        (
            {"FilteredRules": [{}, {"Filter": {"HandshakeParameters": {"x": []}}}]},
            r"FilteredRules\[1\].Filter.HandshakeParameters: clients send no parameter x",
        ),
        (
            {"FilteredRules": [{"ExceptFilter": {"HandshakeParameters": {"x": []}}}]},
            r"FilteredRules\[0\].ExceptFilter.HandshakeParameters",
        ),
        ({"FilteredRules": [{"Rules": {"AllowUDPPorts": [0]}}]}, r"FilteredRules\[0\].Rules.AllowUDPPorts"),
        ({"FilteredRules": {}}, "FilteredRules: expected a list, got an object"),
    ],
)
def test_mistakes_name_file_and_field(rules: dict[str, object], problem: str) -> None:
    with pytest.raises(DocumentError, match="^rules.config: " + problem):
        read(rules)
