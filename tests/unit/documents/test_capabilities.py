"""Which capabilities say what; names are checked in tests/vectors."""

import pytest

from headrace.documents.capabilities import (
    IMPLEMENTED_PROTOCOLS,
    TUNNEL_PROTOCOLS,
    allowed_protocols,
    has_capability,
    is_intensive,
)


@pytest.mark.parametrize(
    ("capability", "required", "matches"),
    [
        ("OSSH", "OSSH", True),
        ("OSSH", "SSH", False),
        ("ossh", "OSSH", False),
        ("QUICv1", "QUIC", True),
        ("QUICv1-PASSTHROUGH", "QUIC", True),
        ("UNFRONTED-MEEK-HTTPS-PASSTHROUGH", "UNFRONTED-MEEK-HTTPS", True),
        ("UNFRONTED-MEEK-HTTPS-PASSTHROUGH", "TLS", False),
        ("UNFRONTED-MEEK-HTTPS-PASSTHROUGH-v2", "TLS", True),
        ("UNFRONTED-MEEK-SESSION-TICKET-PASSTHROUGH-v2", "TLS", True),
        ("UNFRONTED-MEEK-HTTPS-TACTICS", "UNFRONTED-MEEK-HTTPS", False),
    ],
)
def test_matching(capability: str, required: str, matches: bool) -> None:
    assert has_capability([capability], required) is matches


def test_what_is_implemented_exists() -> None:
    assert set(IMPLEMENTED_PROTOCOLS) <= set(TUNNEL_PROTOCOLS)
    assert not any(map(is_intensive, IMPLEMENTED_PROTOCOLS))


def test_an_upstream_proxy_leaves_tcp_alone() -> None:
    allowed = allowed_protocols(TUNNEL_PROTOCOLS, upstream_proxy=True)
    assert "OSSH" in allowed
    assert "FRONTED-MEEK-OSSH" in allowed
    assert not [name for name in allowed if "QUIC" in name or "INPROXY" in name or "CONJURE" in name]
