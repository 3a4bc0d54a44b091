"""What an entry announces is what clients of all ages take it for (operations spec §1.3)."""

import pytest

from headrace.documents.server_entry import ServerEntry
from headrace.network.model import Host, Server
from headrace.network.rendering.capabilities import DEFAULT_CAPABILITIES, published_capabilities

API = "ssh-api-requests"


def published(*capabilities: str, **host: object) -> list[str]:
    facts: dict[str, object] = {
        "meek_port": 80,
        "fronting_hosts": [],
        "passthrough_address": "",
        "passthrough_version": 2,
        "gquic": False,
    }
    return published_capabilities(Host(**facts | host), Server(capabilities=list(capabilities)))


@pytest.mark.parametrize(
    ("capability", "host", "expected"),
    [
        ("SSH", {}, ["SSH"]),
        ("OSSH", {}, ["OSSH"]),
        ("TLS", {"passthrough_address": "a:1"}, ["TLS"]),
        ("QUIC", {}, ["QUICv1"]),
        ("QUIC", {"gquic": True}, ["QUIC"]),
        ("FRONTED-MEEK-QUIC", {}, ["FRONTED-MEEK-QUIC"]),
        ("UNFRONTED-MEEK", {}, ["UNFRONTED-MEEK"]),
        ("UNFRONTED-MEEK", {"passthrough_address": "a:1"}, ["UNFRONTED-MEEK"]),
        ("UNFRONTED-MEEK", {"meek_port": 443}, ["UNFRONTED-MEEK-HTTPS"]),
        (
            "UNFRONTED-MEEK",
            {"meek_port": 443, "passthrough_address": "a:1"},
            ["UNFRONTED-MEEK-HTTPS-PASSTHROUGH-v2"],
        ),
        (
            "UNFRONTED-MEEK",
            {"meek_port": 443, "passthrough_address": "a:1", "passthrough_version": 1},
            ["UNFRONTED-MEEK-HTTPS-PASSTHROUGH"],
        ),
        ("UNFRONTED-MEEK-SESSION-TICKET", {}, ["UNFRONTED-MEEK-SESSION-TICKET"]),
        (
            "UNFRONTED-MEEK-SESSION-TICKET",
            {"passthrough_address": "a:1"},
            ["UNFRONTED-MEEK-SESSION-TICKET-PASSTHROUGH-v2"],
        ),
        (
            "UNFRONTED-MEEK-SESSION-TICKET",
            {"passthrough_address": "a:1", "passthrough_version": 1},
            ["UNFRONTED-MEEK-SESSION-TICKET-PASSTHROUGH"],
        ),
        ("FRONTED-MEEK", {}, ["FRONTED-MEEK"]),
        ("FRONTED-MEEK", {"fronting_hosts": ["a"]}, ["FRONTED-MEEK", "FRONTED-MEEK-HTTP"]),
        ("SSH", {"fronting_hosts": ["a"]}, ["SSH"]),
        ("FRONTED-MEEK-TACTICS", {}, ["FRONTED-MEEK-TACTICS"]),
        ("FRONTED-MEEK-BROKER", {"fronting_hosts": ["a"]}, []),
        ("INPROXY-WEBRTC-SSH", {}, ["INPROXY-WEBRTC-SSH"]),
    ],
)
def test_each_capability_is_published_as_it_is_done(
    capability: str, host: dict[str, object], expected: list[str]
) -> None:
    assert published(capability, **host) == [API, *expected]


def test_nothing_is_announced_twice() -> None:
    assert published("FRONTED-MEEK", "FRONTED-MEEK-HTTP", API, fronting_hosts=["a"]) == [
        API,
        "FRONTED-MEEK",
        "FRONTED-MEEK-HTTP",
    ]


@pytest.mark.parametrize(
    ("capabilities", "host", "protocols"),
    [
        (DEFAULT_CAPABILITIES, {}, {"SSH", "OSSH"}),
        (
            ("UNFRONTED-MEEK",),
            {"meek_port": 443, "passthrough_address": "a:1"},
            {"UNFRONTED-MEEK-HTTPS-OSSH", "TLS-OSSH"},  # servers tell both apart on that port
        ),
        (("UNFRONTED-MEEK",), {}, {"UNFRONTED-MEEK-OSSH"}),
        (("FRONTED-MEEK",), {"fronting_hosts": ["a"]}, {"FRONTED-MEEK-OSSH", "FRONTED-MEEK-HTTP-OSSH"}),
        (("QUIC",), {}, {"QUIC-OSSH"}),
        (("TLS", "SHADOWSOCKS"), {}, {"TLS-OSSH", "SHADOWSOCKS-OSSH"}),
    ],
)
def test_clients_know_what_is_meant(
    capabilities: tuple[str, ...], host: dict[str, object], protocols: set[str]
) -> None:
    entry = ServerEntry(capabilities=published(*capabilities, **host))
    known = {
        "SSH",
        "OSSH",
        "TLS-OSSH",
        "QUIC-OSSH",
        "SHADOWSOCKS-OSSH",
        "FRONTED-MEEK-OSSH",
        "FRONTED-MEEK-HTTP-OSSH",
        "UNFRONTED-MEEK-OSSH",
        "UNFRONTED-MEEK-HTTPS-OSSH",
        "UNFRONTED-MEEK-SESSION-TICKET-OSSH",
    }
    assert {name for name in known if entry.supports(name)} == protocols
    assert entry.supports_ssh_api
