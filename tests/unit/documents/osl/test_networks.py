"""Sets of networks: who is in."""

import ipaddress

import pytest

from headrace.documents.osl.networks import NetworkSet
from headrace.documents.port_policy import parse_networks

NETWORKS = NetworkSet(
    parse_networks(
        [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "11.0.0.0/8",
            "192.0.2.7/32",
            "255.255.255.255/32",
            "2001:db8::/32",
            "::/128",
        ]
    )
)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("9.255.255.255", False),
        ("10.0.0.0", True),
        ("10.1.2.3", True),
        ("10.255.255.255", True),
        ("11.0.0.0", True),
        ("11.255.255.255", True),
        ("12.0.0.0", False),
        ("192.0.2.6", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("255.255.255.255", True),
        ("::", True),
        ("::1", False),
        ("2001:db8:ffff::", True),
        ("2001:db9::", False),
        ("::ffff:10.0.0.1", True),
        ("::ffff:9.0.0.1", False),
        ("0.0.0.0", False),
    ],
)
def test_who_is_in(address: str, inside: bool) -> None:
    assert (ipaddress.ip_address(address) in NETWORKS) is inside


def test_nobody_is_in_none() -> None:
    assert ipaddress.ip_address("10.0.0.1") not in NetworkSet([])


def test_everybody_is_in_all() -> None:
    everything = NetworkSet(parse_networks(["0.0.0.0/0"]))
    assert ipaddress.ip_address("0.0.0.0") in everything
    assert ipaddress.ip_address("255.255.255.255") in everything
    assert ipaddress.ip_address("::2") not in everything


def test_mapped_networks() -> None:
    networks = NetworkSet(parse_networks(["::ffff:10.0.0.0/104", "::/95"]))
    inside = ("10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3", "::5", "::1:0:0")
    outside = ("9.255.255.255", "11.0.0.0", "0.0.0.0", "::ffff:9.9.9.9", "::1:0:0:0")
    assert all(ipaddress.ip_address(address) in networks for address in inside)
    assert not any(ipaddress.ip_address(address) in networks for address in outside)
