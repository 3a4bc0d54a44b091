"""Destinations that rules allow and disallow."""

import ipaddress

import pytest

from headrace.documents.port_policy import PortPolicy, PortSet, parse_networks, parse_ports

INSIDE = ipaddress.ip_address("192.0.2.7")
OUTSIDE = ipaddress.ip_address("198.51.100.7")


def test_ports_and_ranges() -> None:
    ports = parse_ports([443, 80, [1000, 2000], [1500, 1600], 2001, [65535, 65535]])
    for port in (80, 443, 1000, 1550, 2000, 2001, 65535):
        assert port in ports
    for port in (0, 79, 81, 999, 2002, 65534):
        assert port not in ports
    assert ports == PortSet([(80, 80), (443, 443), (1000, 2001), (65535, 65535)])
    assert hash(ports) == hash(parse_ports([80, 443, [1000, 2001], 65535]))
    assert repr(parse_ports([1, [2, 3]])) == "PortSet([(1, 3)])"
    assert not parse_ports([])
    assert ports != [80]


@pytest.mark.parametrize("item", [0, 65536, -1, [2, 1], [1], [1, 2, 3], []])
def test_bad_ports(item: int | list[int]) -> None:
    with pytest.raises(ValueError, match="write for instance 80"):
        parse_ports([item])


@pytest.mark.parametrize("item", ["192.0.2.1", "x/8", "192.0.2.0/33", "", "192.0.2.0/-1"])
def test_bad_networks(item: str) -> None:
    with pytest.raises(ValueError, match="is no subnet"):
        parse_networks([item])


def test_host_bits_may_be_set() -> None:
    assert parse_networks(["192.0.2.7/24"]) == parse_networks(["192.0.2.0/24"])


def test_no_rules_allow_everything() -> None:
    assert PortPolicy().allows(INSIDE, 25)


def test_allowed_ports_only() -> None:
    policy = PortPolicy(allowed_ports=parse_ports([443]))
    assert policy.allows(INSIDE, 443)
    assert not policy.allows(INSIDE, 80)


def test_networks_and_systems_open_other_ports() -> None:
    policy = PortPolicy(
        allowed_ports=parse_ports([443]),
        allowed_networks=parse_networks(["192.0.2.0/24"]),
        allowed_asns=frozenset({"64496"}),
    )
    assert policy.allows(INSIDE, 25)
    assert policy.allows(ipaddress.ip_address("::ffff:192.0.2.7"), 25)
    assert not policy.allows(OUTSIDE, 25)
    assert policy.allows(OUTSIDE, 25, "64496")


def test_disallowing_wins() -> None:
    policy = PortPolicy(
        allowed_ports=parse_ports([25, 443]),
        disallowed_ports=parse_ports([25]),
        allowed_networks=parse_networks(["192.0.2.0/24"]),
        disallowed_networks=parse_networks(["198.51.100.0/24", "2001:db8::/32"]),
        disallowed_asns=frozenset({"64497"}),
    )
    assert not policy.allows(INSIDE, 25)
    assert not policy.allows(OUTSIDE, 443)
    assert not policy.allows(ipaddress.ip_address("::ffff:198.51.100.7"), 443)
    assert not policy.allows(ipaddress.ip_address("2001:db8::1"), 443)
    assert not policy.allows(INSIDE, 443, "64497")
    assert policy.allows(INSIDE, 443)
