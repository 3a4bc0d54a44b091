"""Attack: a client has the server connect to something that only the server can reach.

Its own services, its neighbours in the data centre, the cloud's metadata service: every way of writing such
an address must fail, as must every address format that carries one inside.
"""

import ipaddress
import random

import pytest

from headrace.server.egress import Egress

EGRESS = Egress(allow_bogons=False)

# First, middle and last address of everything that is special in IPv4.
SPECIAL_V4 = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "168.63.129.16/32",
]

SPECIAL_V6 = [
    "::/128",
    "::1/128",
    "::/96",  # IPv4-compatible
    "::ffff:0:0:0/96",  # IPv4-translated
    "64:ff9b:1::/48",  # a site's own NAT64
    "100::/64",  # discard
    "100:0:0:1::/64",
    "2001::/32",  # Teredo
    "2001:2::/48",  # benchmarking
    "2001:10::/28",  # ORCHID
    "2001:20::/28",
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "3fff::/20",  # documentation
    "4000::/3",
    "5f00::/16",  # segment routing
    "fc00::/7",  # unique local
    "fd00:ec2::/32",  # a cloud's metadata service
    "fe80::/10",  # link-local
    "fec0::/10",  # site-local
    "ff00::/8",  # multicast
]


def members(network: str) -> list[str]:
    """Both ends of a network, the middle, and some chosen at random."""
    parsed = ipaddress.ip_network(network)
    size = parsed.num_addresses
    draw = random.Random(network)
    return [
        str(parsed[index]) for index in {0, size // 2, size - 1, *(draw.randrange(size) for _ in range(50))}
    ]


@pytest.mark.parametrize("network", SPECIAL_V4)
def test_special_ipv4_in_every_disguise(network: str) -> None:
    for address in members(network):
        packed = ipaddress.IPv4Address(address).packed
        high, low = packed[:2].hex(), packed[2:].hex()
        for disguise in (
            address,
            f"::ffff:{address}",
            f"::ffff:{high}:{low}",
            f"0:0:0:0:0:ffff:{address}",
            f"0000:0000:0000:0000:0000:FFFF:{high.upper()}:{low.upper()}",
            f"::{address}",
            f"::ffff:0:{address}",
            f"64:ff9b::{address}",
            f"64:ff9b:1::{address}",
            f"2002:{high}:{low}::1",
            f"2001:0:{high}:{low}::1",
            f"2001:db8:122:344::{address}",
        ):
            assert not EGRESS.permitted(disguise), disguise


@pytest.mark.parametrize("network", SPECIAL_V6)
def test_special_ipv6(network: str) -> None:
    for address in members(network):
        assert not EGRESS.permitted(address), address


@pytest.mark.parametrize(
    "text",
    [
        "127.1",
        "127.0.1",
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.0.0.01",
        "00127.0.0.1",
        "8.8.8.08",
        "127.0.0.1.",
        " 127.0.0.1",
        "127.0.0.1 ",
        "127.0.0.1\n",
        "127.0.0.1\0",
        "127.0.0.1/32",
        "[::1]",
        "::1%lo",
        "fe80::1%eth0",
        "2606:4700::1111%eth0",
        "2606:4700::1111%",
        "::ffff:0x7f.0.0.1",
        "::ffff:127.1",
        "١٢٧.٠.٠.١",
        "１２７.0.0.1",
        "127。0。0。1",
        "localhost",
        "",
        ".",
        ":",
        "1" * 100_000,
        "0:" * 50_000,
    ],
)
def test_what_is_no_plain_address_never_passes(text: str) -> None:
    assert not EGRESS.permitted(text)


def test_random_ipv6_outside_global_unicast_never_passes() -> None:
    draw = random.Random(6)
    for _ in range(20_000):
        number = draw.getrandbits(128)
        address = ipaddress.IPv6Address(number)
        if number >> 125 != 1:
            assert not EGRESS.permitted(str(address)), address
        elif not address.is_global:
            assert not EGRESS.permitted(str(address)), address
