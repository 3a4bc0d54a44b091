"""UpstreamProxyURL: what may be written, what is said about the rest, and that nothing of it is repeated."""

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.client_config import read_client_config
from headrace.documents.upstream_proxy_url import ProxyURL

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://proxy:8080", ProxyURL("http", "proxy", 8080)),
        ("HTTP://proxy.example:8080/", ProxyURL("http", "proxy.example", 8080)),
        ("  socks5://192.0.2.1:1080\n", ProxyURL("socks5", "192.0.2.1", 1080)),
        ("socks5://[2001:db8::1]:1080", ProxyURL("socks5", "2001:db8::1", 1080)),
        ("socks5://u:p@proxy:1080", ProxyURL("socks5", "proxy", 1080, "u", "p")),
        ("socks4a://ann@proxy:1080", ProxyURL("socks4a", "proxy", 1080, "ann")),
        ("http://ann@proxy:1", ProxyURL("http", "proxy", 1, "ann")),
        (r"http://CORP%5Cann:secret@proxy:3128", ProxyURL("http", "proxy", 3128, r"CORP\ann", "secret")),
        ("http://a%40b:p%2F%3F%23%3A@proxy:1", ProxyURL("http", "proxy", 1, "a@b", "p/?#:")),
        ("http://[::1]:3128", ProxyURL("http", "::1", 3128)),
        ("socks5://ann:secret@[2001:DB8::1]:1", ProxyURL("socks5", "2001:db8::1", 1, "ann", "secret")),
        ("http://[fe80::1%25eth0]:1", ProxyURL("http", "fe80::1%eth0", 1)),
        ("http://ann:s%C3%ABcret@proxy:1", ProxyURL("http", "proxy", 1, "ann", "sëcret")),
    ],
)
def test_what_may_be_written(text: str, expected: ProxyURL) -> None:
    assert ProxyURL.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("proxy:8080", "must begin with one of http://, socks4a://, socks5://"),
        (f"https://ann:{SECRET}@proxy:8080", "must begin with"),
        ("socks4://proxy:1080", "must begin with"),
        (f"http://ann:{SECRET}@proxy", "names no port"),
        ("http://proxy:0", "names no port"),
        (f"http://ann:{SECRET}@:8080", "names no host"),
        ("http://:8080", "names no host"),
        ("http://a b:8080", "names no host"),
        (f"http://proxy:{SECRET}", "is not a URL"),
        (f"http://ann:{SECRET}/x@proxy:8080", "is not a URL"),
        ("http://proxy:99999", "is not a URL"),
        (f"http://[{SECRET}:8080", "is not a URL"),
        (f"http://ann:{SECRET}%FF@proxy:8080", "is not a URL"),
        (f"http://proxy:8080/{SECRET}", "percent"),
        (f"http://proxy:8080?{SECRET}", "%3F"),
        (f"http://proxy:8080#{SECRET}", "%23"),
        (f"http://:{SECRET}@proxy:8080", "no user name"),
        (f"http://a%3Ab:{SECRET}@proxy:8080", "colon"),
        (f"http://a%0d%0ab:{SECRET}@proxy:8080", "control character"),
        (f"socks5://ann@{SECRET}:1080", "no password"),
        (f"socks5://{'a' * 256}:{SECRET}@proxy:1080", "255 bytes"),
        (f"socks5://ann:{'ë' * 128}{SECRET}@proxy:1080", "255 bytes"),
        (f"socks4a://a%00b{SECRET}@proxy:1080", "SOCKS cannot carry"),
    ],
)
def test_what_may_not(text: str, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        ProxyURL.parse(text)
    if problem != "percent":
        assert problem in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_nobody_sees_it_by_accident() -> None:
    shown = repr(ProxyURL.parse(f"socks5://ann:{SECRET}@proxy.example:1080"))
    assert shown == "ProxyURL(scheme='socks5')"


@pytest.mark.parametrize("name", ["UpstreamProxyURL", "UpstreamProxyUrl"])
def test_a_mistake_in_the_configuration_names_the_field(name: str) -> None:
    text = f'{{"PropagationChannelId": "F", "SponsorId": "F", "{name}": "ftp://ann:{SECRET}@proxy:1"}}'
    with pytest.raises(DocumentError, match=r"^config\.json: UpstreamProxyURL: must begin with") as caught:
        read_client_config(text.encode(), "config.json")
    assert SECRET not in str(caught.value)


def test_a_configuration_may_name_one() -> None:
    text = b'{"PropagationChannelId": "F", "SponsorId": "F", "UpstreamProxyURL": "http://proxy:8080"}'
    assert read_client_config(text).upstream_proxy_url == "http://proxy:8080"
