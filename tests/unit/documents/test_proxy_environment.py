"""The environment's proxy: which variable, which spelling, and never ourselves."""

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.proxy_environment import AUTO, NONE, choose_proxy, proxy_from_environment
from headrace.documents.upstream_proxy_url import ProxyURL

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://proxy:3128/", "http://proxy:3128"),
        ("proxy:3128", "http://proxy:3128"),
        ("proxy", "http://proxy:80"),
        ("ann:secret@proxy", "http://ann:secret@proxy:80"),
        ("socks5h://proxy", "socks5://proxy:1080"),
        ("SOCKS://proxy:9", "socks5://proxy:9"),
        ("socks4://proxy:9", "socks4a://proxy:9"),
        ("http://[2001:db8::1]", "http://[2001:db8::1]:80"),
        ("[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
        (" http://proxy:1 ", "http://proxy:1"),
        ("", ""),
    ],
)
def test_how_it_may_be_written(value: str, expected: str) -> None:
    found = proxy_from_environment({"https_proxy": value}, ())
    assert found == expected
    if found:
        ProxyURL.parse(found)


def test_the_order() -> None:
    environ = {name: f"http://{name.replace('_', '-')}:1" for name in ("ALL_PROXY", "all_proxy")}
    assert proxy_from_environment(environ, ()) == "http://all-proxy:1"
    environ |= {"HTTPS_PROXY": "http://second:1"}
    assert proxy_from_environment(environ, ()) == "http://second:1"
    environ |= {"https_proxy": "http://first:1", "http_proxy": "http://other:1"}
    assert proxy_from_environment(environ, ()) == "http://first:1"
    assert proxy_from_environment({"http_proxy": "http://other:1"}, ()) == ""


@pytest.mark.parametrize(
    "value",
    [
        "http://127.0.0.1:8080",
        "localhost:8080",
        "http://LOCALHOST.:8080",
        "http://x.localhost:8080",
        "http://[::1]:8080",
        "http://[::ffff:127.0.0.1]:8080",
        "http://127.8.9.10:8080",
        "http://0.0.0.0:8080",
        "socks5h://127.0.0.1:1080",
        "socks5://127.0.0.1",
    ],
)
def test_our_own_proxies_are_passed_over(value: str) -> None:
    own = (1080, 8080)
    assert proxy_from_environment({"https_proxy": value}, own) == ""
    environ = {"https_proxy": value, "all_proxy": "socks5://proxy:8080"}
    assert proxy_from_environment(environ, own) == "socks5://proxy:8080"
    assert proxy_from_environment({"https_proxy": value}, ()) != ""


@pytest.mark.parametrize(
    ("excepted", "expected"), [("*", ""), ("localhost, *", ""), ("*.example", "http://p:1")]
)
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_exceptions(name: str, excepted: str, expected: str) -> None:
    assert proxy_from_environment({"https_proxy": "http://p:1", name: excepted}, ()) == expected


@pytest.mark.parametrize(
    "value",
    [
        f"https://ann:{SECRET}@proxy:1",
        f"http://{SECRET}:x",
        f"http://proxy:1/{SECRET}",
        f"[{SECRET}",
        "http://:1",
    ],
)
def test_what_cannot_be_used(value: str) -> None:
    with pytest.raises(DocumentError, match="the environment variable HTTPS_PROXY ") as caught:
        proxy_from_environment({"HTTPS_PROXY": value}, ())
    assert SECRET not in str(caught.value)


def test_what_is_wanted() -> None:
    environ = {"https_proxy": "http://environment:1"}
    assert choose_proxy("", "http://config:1", environ, ()) == "http://config:1"
    assert choose_proxy("", "", environ, ()) == ""  # only those who ask for it get the environment's
    assert choose_proxy(AUTO, "http://config:1", environ, ()) == "http://environment:1"
    assert choose_proxy(AUTO, "http://config:1", {}, ()) == ""
    assert choose_proxy(NONE, "http://config:1", environ, ()) == ""
    assert choose_proxy("socks5://wanted:1", "http://config:1", environ, ()) == "socks5://wanted:1"
    assert choose_proxy("socks5h://wanted", "", {}, ()) == "socks5://wanted:1080"  # as one writes it for curl
