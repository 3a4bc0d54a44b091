"""Who may use the local proxies, and who can reach them."""

import pytest
from tests.memory_network import client_config

from headrace.base.errors import OperatorError
from headrace.client.proxy_options import ProxyCredentials, ProxyOptions

USER = {"LocalProxyUsername": "änne", "LocalProxyPassword": "hunter2:x"}
UNIX = {"UseUnixDomainSockets": True, "LocalSocksProxyUnixPath": "/a", "LocalHttpProxyUnixPath": "/b"}


@pytest.mark.parametrize(
    ("username", "password", "good"),
    [
        ("änne".encode(), b"hunter2:x", True),
        ("änne".encode("latin-1"), b"hunter2:x", False),
        ("änne".encode(), b"hunter2", False),
        ("änne".encode(), b"", False),
        (b"", b"hunter2:x", False),
        (b"\xff", b"\xff" * 300, False),
    ],
)
def test_credentials(username: bytes, password: bytes, good: bool) -> None:
    assert ProxyCredentials("änne", "hunter2:x").match(username, password) is good


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(ProxyOptions.of(client_config(**USER), {}))


@pytest.mark.parametrize(
    ("fields", "shared", "warned"),
    [
        ({}, False, False),
        ({"ListenInterface": "lo"}, False, False),
        ({"ListenInterface": "any"}, True, True),
        ({"ListenInterface": "any", **USER}, True, False),
        ({"ListenInterface": "any", **UNIX}, False, False),
    ],
)
def test_others_may_use_proxies_that_they_can_reach(
    fields: dict[str, object], shared: bool, warned: bool
) -> None:
    options = ProxyOptions.of(client_config(**fields), {"Http": 1})
    assert options.shared is shared
    assert options.address == ("0.0.0.0" if fields.get("ListenInterface") == "any" else "127.0.0.1")
    assert bool(options.warning) is warned
    assert (options.credentials is not None) == ("LocalProxyUsername" in fields)
    assert options.ports == {"Http": 1}


def test_an_interface_that_is_not_there() -> None:
    with pytest.raises(OperatorError, match="nonesuch0"):
        ProxyOptions.of(client_config(ListenInterface="nonesuch0"), {})
