"""Who may ask the proxy for its own pages."""

import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.client.own_site import OwnSite

HERE = ("192.168.1.5", 8080)


def site_of(host: str, here: object = HERE, **headers: str) -> OwnSite | None:
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return OwnSite.of([(b"host", host.encode()), *fields], here)


@pytest.mark.parametrize(
    ("host", "site", "url"),
    [
        ("127.0.0.1:8080", OwnSite("127.0.0.1", 8080), "http://127.0.0.1:8080"),
        ("127.9.9.9", OwnSite("127.9.9.9", 80), "http://127.9.9.9:80"),
        ("LOCALHOST:8080", OwnSite("localhost", 8080), "http://localhost:8080"),
        ("[::1]:8080", OwnSite("[::1]", 8080), "http://[::1]:8080"),
        ("192.168.1.5:9999", OwnSite("192.168.1.5", 9999), "http://192.168.1.5:9999"),
    ],
)
def test_the_proxys_own_addresses(host: str, site: OwnSite, url: str) -> None:
    assert site_of(host) == site
    assert site.url == url


@pytest.mark.parametrize(
    "host",
    [
        "",
        "rebound.example:8080",
        "127.0.0.1.rebound.example:8080",
        "localhost.rebound.example",
        "192.168.1.6:8080",
        "0.0.0.0:8080",
        "2130706433:8080",
        "user@127.0.0.1:8080",
        "127.0.0.1:8080/path",
        "127.0.0.1:8080#",
        "127.0.0.1:0x50",
        "127.0.0.1:99999",
        "[::1",
        '[::1%"]:8080',
        "127.0.0.1 :80",
        "\u0661\u0662\u0667.0.0.1",
    ],
)
def test_names_and_addresses_of_others(host: str) -> None:
    with pytest.raises(RemoteProtocolError, match="by its address"):
        site_of(host)


def test_an_address_in_ipv6_of_its_own() -> None:
    assert site_of("[2001:db8::5]:80", ("2001:db8::5", 8080, 0, 0)) == OwnSite("[2001:db8::5]", 80)


@pytest.mark.parametrize("here", ["/run/proxy.sock", "", b"\0abstract"])
def test_unix_sockets_are_out_of_any_browsers_reach(here: str | bytes) -> None:
    assert site_of("anything", here) is None


def test_a_socket_without_a_name_of_its_own_is_not_trusted_more() -> None:
    assert site_of("127.0.0.1", None) is not None
    with pytest.raises(RemoteProtocolError):
        site_of("192.168.1.5", None)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "same-origin", "referer": "http://127.0.0.1:8080/"},
        {"origin": "http://127.0.0.1:8080", "referer": "http://127.0.0.1:8080/tunneled/x?y"},
    ],
)
def test_the_user_and_the_proxys_own_pages(headers: dict[str, str]) -> None:
    assert site_of("127.0.0.1:8080", **headers) == OwnSite("127.0.0.1", 8080)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": ""},
        {"sec_fetch_site": "same-origin", "origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1:8080"},
        {"origin": "http://127.0.0.1:8081"},
        {"origin": "http://localhost:8080"},
        {"origin": "http://127.0.0.1:8080.evil.example"},
        {"origin": "http://127.0.0.1:8080@evil.example"},
        {"referer": "http://evil.example/127.0.0.1:8080/"},
        {"referer": "http://evil.example#http://127.0.0.1:8080/"},
        {"referer": ""},
    ],
)
def test_web_pages(headers: dict[str, str]) -> None:
    with pytest.raises(RemoteProtocolError, match="web pages"):
        site_of("127.0.0.1:8080", **headers)
