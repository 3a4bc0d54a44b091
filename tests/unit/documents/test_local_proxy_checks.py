"""Where the local proxies are to be, and for whom: mistakes, and what is none."""

import pytest

from headrace.documents.client_config import ClientConfig
from headrace.documents.local_proxy_checks import local_proxy_mistakes


def mistakes(**changes: object) -> list[tuple[str, str]]:
    config = ClientConfig(propagation_channel_id="F" * 16, sponsor_id="F" * 16, **changes)  # type: ignore[arg-type]
    return list(local_proxy_mistakes(config))


def unix(socks: str, http: str, **changes: object) -> list[tuple[str, str]]:
    return mistakes(
        use_unix_domain_sockets=True,
        local_socks_proxy_unix_path=socks,
        local_http_proxy_unix_path=http,
        **changes,
    )


def test_nothing_said_is_no_mistake() -> None:
    assert mistakes() == []


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"local_socks_proxy_port": 65536}, "LocalSocksProxyPort", "65536 is no port"),
        ({"local_http_proxy_port": -1}, "LocalHttpProxyPort", "-1 is no port"),
        ({"local_socks_proxy_port": 8, "local_http_proxy_port": 8}, "LocalHttpProxyPort", "the same as"),
        ({"local_proxy_port_attempts": 0}, "LocalProxyPortAttempts", "write 1 to 100"),
        ({"local_proxy_port_attempts": 101}, "LocalProxyPortAttempts", "write 1 to 100"),
        ({"local_proxy_username": "a"}, "LocalProxyUsername", "give both, or neither"),
        ({"local_proxy_password": "a"}, "LocalProxyUsername", "give both, or neither"),
        ({"local_proxy_username": "a:b", "local_proxy_password": "c"}, "LocalProxyUsername", "a colon"),
        ({"local_proxy_username": "a", "local_proxy_password": "\n"}, "LocalProxyPassword", "cannot be seen"),
        ({"local_proxy_username": "a", "local_proxy_password": "é" * 128}, "LocalProxyPassword", "255 bytes"),
    ],
)
def test_mistakes(changes: dict[str, object], field: str, problem: str) -> None:
    ((found, text),) = mistakes(**changes)
    assert found == field
    assert problem in text


@pytest.mark.parametrize(
    "changes",
    [
        {"local_socks_proxy_port": 80, "local_http_proxy_port": 80, "disable_local_socks_proxy": True},
        {"local_socks_proxy_port": 80, "local_http_proxy_port": 80, "disable_local_http_proxy": True},
        {"local_proxy_username": "a", "local_proxy_password": "b:c " + "é" * 125},
        {"local_socks_proxy_unix_path": "unused"},
    ],
)
def test_what_is_none(changes: dict[str, object]) -> None:
    assert mistakes(**changes) == []


LONGEST = "/" + "a" * 102


@pytest.mark.parametrize(("socks", "http"), [("/a", "@a"), (LONGEST, "@" + "b" * 102)])
def test_paths(socks: str, http: str) -> None:
    assert unix(socks, http) == []
    assert unix(socks, http, local_socks_proxy_port=80, local_http_proxy_port=80) == []


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "is missing"),
        ("a", "write a whole path"),
        ("@", "write a whole path"),
        ("/a\0", "write a whole path"),
        ("/\ud800", "write a whole path"),
        (LONGEST + "a", "longer than 103 bytes"),
        ("/b", "the same as"),
    ],
)
def test_paths_that_are_mistakes(path: str, problem: str) -> None:
    ((field, text),) = unix("/b", path)
    assert field == "LocalHttpProxyUnixPath"
    assert problem in text
    assert unix("/b", path, disable_local_http_proxy=True) == []
