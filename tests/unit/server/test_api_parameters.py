"""The forms of API parameters."""

import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.server.api_parameters import (
    CONNECTED,
    HANDSHAKE,
    STATUS,
    response_padding,
    split_regions,
    validate,
)

BASE = {
    "propagation_channel_id": "FFFFFFFFFFFFFFFF",
    "sponsor_id": "FFFFFFFFFFFFFFFF",
    "client_version": "1",
    "client_platform": "Linux_x86_64",
    "relay_protocol": "OSSH",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("propagation_channel_id", ""),
        ("propagation_channel_id", "0123456789abcdef"),
        ("sponsor_id", "0123456789abcdef"),
        ("client_version", "-1"),
        ("client_platform", "Android_10_com.example.app"),
        ("relay_protocol", "UNFRONTED-MEEK-HTTPS-OSSH"),
        ("relay_protocol", "SSH"),
        ("client_features", ["a", "b"]),
        ("client_features", []),
        ("egress_region", ""),
        ("egress_region", "DE"),
        ("server_entry_source", "DSL-ANY"),
        ("server_entry_timestamp", "2026-11-22T13:00:00Z"),
        ("server_entry_timestamp", "2026-11-22T13:00:00+00:00"),
        ("upstream_proxy_type", "socks5"),
        ("is_replay", "1"),
        ("split_tunnel", "1"),
        ("split_tunnel_regions", ["DE", "FR"]),
        ("missing_server_entry_signature", "eERhLEV/TvmroOEgM61F1B6nOImKksdQOwa6jP2KxtA="),
    ],
)
def test_accepted_and_kept(name: str, value: object) -> None:
    assert validate({**BASE, name: value}, HANDSHAKE)[name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("propagation_channel_id", "xyz"),
        ("sponsor_id", ""),
        ("sponsor_id", "FFFFFFFFFFFFFFF"),
        ("sponsor_id", "FFFFFFFFFFFFFFFF\n"),
        ("sponsor_id", ["FFFFFFFFFFFFFFFF"]),
        ("client_version", "1.0"),
        ("client_version", "٣"),
        ("client_version", "9" * 5000),
        ("client_platform", "Linux x86"),
        ("client_platform", "x" * 1025),
        ("relay_protocol", "OSSH-2"),
        ("relay_protocol", ""),
        ("client_features", "a"),
        ("client_features", [1]),
        ("client_features", ["a"] * 65),
        ("egress_region", "de"),
        ("egress_region", {"DE": 1}),
        ("server_entry_source", "SOMEWHERE"),
        ("server_entry_timestamp", "yesterday"),
        ("upstream_proxy_type", "ftp"),
        ("is_replay", "true"),
        ("split_tunnel", True),
        ("split_tunnel_regions", "DE"),
        ("split_tunnel_regions", ["de"]),
        ("split_tunnel_regions", ["DE"] * 251),
        ("missing_server_entry_signature", "eERhLEV"),
        ("pad_response", "many"),
    ],
)
def test_refused_without_repeating_the_value(name: str, value: object) -> None:
    with pytest.raises(RemoteProtocolError) as failure:
        validate({**BASE, name: value}, HANDSHAKE)
    assert str(failure.value) == f"API parameter {name} is malformed"


@pytest.mark.parametrize(
    ("required", "name"),
    [(HANDSHAKE, "relay_protocol"), (CONNECTED, "last_connected"), (STATUS, "statusData")],
)
def test_every_request_has_its_own_requirement(required: dict[str, object], name: str) -> None:
    base = {key: value for key, value in BASE.items() if key != "relay_protocol"}
    with pytest.raises(RemoteProtocolError, match=f"{name} is missing"):
        validate(base, required)  # type: ignore[arg-type]


def test_what_identifies_a_client_or_is_of_no_further_use_is_not_kept() -> None:
    extra = {"client_session_id": "ab" * 16, "padding": "  ", "authorizations": [], "unheard_of": "x"}
    assert validate({**BASE, **extra}, HANDSHAKE) == BASE


@pytest.mark.parametrize(
    ("wanted", "size"),
    [({}, 0), ({"pad_response": ""}, 0), ({"pad_response": "7"}, 7), ({"pad_response": "-7"}, 0)],
)
def test_response_padding(wanted: dict[str, object], size: int) -> None:
    assert response_padding(wanted) == " " * size


ALL = [f"{first}{second}" for first in "ABCDEFGHIJ" for second in "ABCDEFGHIJKLMNOPQRSTUVWXY"]


@pytest.mark.parametrize(
    ("wanted", "regions"),
    [
        ({}, set()),
        ({"split_tunnel": "0", "split_tunnel_regions": []}, set()),
        ({"split_tunnel": "1"}, {"DE"}),
        ({"split_tunnel_regions": ["FR", "IT"]}, {"FR", "IT"}),
        ({"split_tunnel": "1", "split_tunnel_regions": ["FR", "DE"]}, {"DE", "FR"}),
        ({"split_tunnel": "", "split_tunnel_regions": ""}, set()),
        ({"split_tunnel_regions": ALL}, set(ALL)),
    ],
)
def test_split_regions(wanted: dict[str, object], regions: set[str]) -> None:
    validate({**BASE, **wanted}, HANDSHAKE)
    assert split_regions(wanted, "DE") == regions
