"""The typed view of an entry; protocols and ports are checked in tests/vectors."""

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.server_entry import ServerEntry


def test_the_last_spelling_of_a_name_wins() -> None:
    line = b'0 0 0 0 {"sshPort":1,"SSHPORT":2,"SshPort":null,"sshport":3,"\xc5\xbfshUsername":"long s"}'.hex()
    entry = ServerEntry.decode(line)
    assert entry.ssh_port == 3
    assert entry.ssh_username == "long s"
    assert ServerEntry.decode(b'0 0 0 0 {"sshPort":1,"SSHPORT":2,"sshPort":4}'.hex()).ssh_port == 4


def test_what_it_was_made_from_is_kept() -> None:
    fields: dict[str, object] = {"future": [1], "sshPort": 22, "": "nameless", "fields": "no field of ours"}
    entry = ServerEntry.from_fields(fields)
    assert entry.fields == fields
    assert bytes.fromhex(entry.encode()).startswith(b'0 0 0 0 {"":"nameless"')


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"sshPort": 22.0},
            "sshPort: expected a whole number, got a number: write it without a decimal point",
        ),
        ({"SSHPort": "22"}, "sshPort: expected a whole number, got text: write it without quotes"),
        ({"sshPort": True}, "sshPort: expected a whole number, got true or false"),
        ({"capabilities": "SSH"}, "capabilities: expected a list, got text: put it in square brackets"),
        ({"capabilities": [1]}, r"capabilities\[0\]: expected text, got a whole number: put it in quotes"),
    ],
)
def test_types_are_strict(fields: dict[str, object], problem: str) -> None:
    with pytest.raises(DocumentError, match="^server entry field " + problem):
        ServerEntry.from_fields(fields)


def test_validation_looks_at_the_mapping() -> None:
    with pytest.raises(DocumentError, match="ipAddress"):
        ServerEntry.from_fields({"IPADDRESS": "192.0.2.1"}).validate()


def test_protocol_limits() -> None:
    entry = ServerEntry.from_fields({"capabilities": ["SSH", "OSSH", "FRONTED-MEEK-QUIC", "TAPDANCE"]})
    assert entry.supported_protocols() == ["SSH", "OSSH"]
    assert entry.supported_protocols(["OSSH", "FRONTED-MEEK-QUIC-OSSH", "TAPDANCE-OSSH"]) == [
        "OSSH",
        "FRONTED-MEEK-QUIC-OSSH",
    ]


@pytest.mark.parametrize(
    ("limit", "versions", "supported"),
    [
        ([], [], True),
        (["QUICv1"], None, True),
        (["QUICv1"], ["QUICv1", "x"], True),
        (["QUICv1"], ["x"], False),
    ],
)
def test_quic_versions(limit: list[str], versions: list[str] | None, supported: bool) -> None:
    entry = ServerEntry.from_fields({"capabilities": ["QUIC"], "limitQUICVersions": limit})
    assert entry.supported_protocols(quic_versions=versions) == (["QUIC-OSSH"] if supported else [])


def test_inproxy_ports() -> None:
    entry = ServerEntry.from_fields({"inproxySSHPort": 1, "inproxyMeekPort": 2, "inproxyShadowsocksPort": 3})
    assert entry.dial_port("INPROXY-WEBRTC-SSH") == 1
    assert entry.dial_port("INPROXY-WEBRTC-UNFRONTED-MEEK-OSSH") == 2
    assert entry.dial_port("INPROXY-WEBRTC-TLS-OSSH") == 2
    assert entry.dial_port("INPROXY-WEBRTC-SHADOWSOCKS-OSSH") == 3
    assert entry.dial_port("INPROXY-WEBRTC-FRONTED-MEEK-HTTP-OSSH") == 80
