"""The proxy auto-configuration file; what a browser makes of it is in `tests/e2e/test_pac.py`."""

import pytest

from headrace.client.pac import auto_configuration


@pytest.mark.parametrize(
    ("socks", "ways"),
    [
        ("127.0.0.1:1080", "PROXY 127.0.0.1:8080; SOCKS5 127.0.0.1:1080"),
        ("", "PROXY 127.0.0.1:8080"),
    ],
)
def test_the_proxies_that_there_are(socks: str, ways: str) -> None:
    file = auto_configuration("127.0.0.1:8080", socks)
    assert file.startswith("function FindProxyForURL(url, host) {")
    assert file.endswith(f'  return "{ways}";\n}}\n')


def test_it_looks_nothing_up() -> None:
    file = auto_configuration("127.0.0.1:8080", "127.0.0.1:1080")
    for lookup in ("dnsResolve", "isInNet", "isResolvable", "myIpAddress", "isPlainHostName"):
        assert lookup not in file


def test_there_is_no_way_past_the_proxies_when_they_are_down() -> None:
    last = auto_configuration("127.0.0.1:8080", "127.0.0.1:1080").splitlines()[-2]
    assert "DIRECT" not in last
