"""What the client's requests carry."""

import dataclasses
import json
import re

import msgspec
import pytest
from tests.memory_network import client_config

from headrace.base.rng import SeededRng
from headrace.client import api
from headrace.client.api import Identity
from headrace.codec.packed_parameters import unpack
from headrace.documents.authorizations import AuthorizationKey
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import DialParameters, choose
from headrace.server.api_parameters import HANDSHAKE, validate

ENTRY = ServerEntry.from_fields(
    {
        "ipAddress": "192.0.2.1",
        "sshPort": 22,
        "sshHostKey": "a2V5",
        "sshPassword": 'pass"word',
        "webServerSecret": "a1b2",
        "capabilities": ["SSH"],
        "tag": "dGhlIHRhZw==",
        "region": "CH",
        "localSource": "EMBEDDED",
        "localTimestamp": "2024-05-06T07:08:09Z",
    }
)


def dial(**changes: object) -> DialParameters:
    return choose(msgspec.structs.replace(ENTRY, **changes), "SSH", SeededRng(1), 3)


def identity(**settings: object) -> Identity:
    return Identity.from_config(client_config(**settings))


def test_a_session_id_is_random_per_run_and_has_the_right_form() -> None:
    ids = {identity().session_id for _ in range(10)}
    assert len(ids) == 10
    assert all(re.fullmatch(r"[0-9a-f]{32}", session_id) for session_id in ids)
    assert identity(SessionID="ab" * 16).session_id == "ab" * 16


def test_the_platform_is_in_the_form_servers_accept() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", identity().platform)
    assert identity(ClientPlatform="Android_14").platform == "Android_14"


def test_the_password_is_json_with_the_members_in_order() -> None:
    who = identity(SessionID="0" * 32, SponsorId="A" * 16)
    assert api.password(who, dataclasses.replace(dial(), shape_streams=False)) == (
        '{"SessionId":"' + "0" * 32 + '","SshPassword":"pass\\"word",'
        '"ClientCapabilities":["server-requests"],"SponsorId":"' + "A" * 16 + '"}'
    )


def test_the_password_tells_that_streams_can_be_shaped() -> None:
    assert '"ClientCapabilities":["server-requests","shaping-1"]' in api.password(identity(), dial())


def test_every_request_carries_the_base_parameters() -> None:
    who = identity(
        PropagationChannelId="1" * 16,
        SponsorId="2" * 16,
        ClientVersion="7",
        ClientPlatform="Linux_x",
        DeviceRegion="DE",
    )
    parameters = api.base_parameters(who, SeededRng(1))
    assert parameters["propagation_channel_id"] == "1" * 16
    assert parameters["sponsor_id"] == "2" * 16
    assert parameters["client_version"] == "7"
    assert parameters["client_platform"] == "Linux_x"
    assert parameters["device_region"] == "DE"
    assert "client_features" not in parameters


def test_optional_parameters_are_left_out_when_there_is_nothing_to_say() -> None:
    assert not {"device_region", "client_features"} & set(api.base_parameters(identity(), SeededRng(1)))
    bare = dial(region="", local_source="", local_timestamp="")
    parameters = api.handshake_parameters(identity(), bare, SeededRng(1))
    assert not {"server_entry_region", "server_entry_source", "server_entry_timestamp"} & set(parameters)
    assert "" not in [value for name, value in parameters.items() if name != "padding"]
    features = api.base_parameters(identity(ClientFeatures=["VPN"]), SeededRng(1))["client_features"]
    assert features == ["VPN"]


def test_sizes_vary() -> None:
    paddings = [api.base_parameters(identity(), SeededRng(seed)) for seed in range(200)]
    sizes = {len(str(parameters["padding"])) for parameters in paddings}
    assert max(sizes) <= api.MAX_PADDING
    assert len(sizes) > 50
    assert {str(parameters["padding"]).strip() for parameters in paddings} == {""}
    assert len({parameters["pad_response"] for parameters in paddings}) > 50


def test_the_handshake_says_how_the_server_was_reached() -> None:
    parameters = api.handshake_parameters(identity(EgressRegion="CH"), dial(), SeededRng(1))
    expected = {
        "relay_protocol": "SSH",
        "candidate_number": "3",
        "egress_region": "CH",
        "server_entry_region": "CH",
        "server_entry_source": "EMBEDDED",
        "server_entry_timestamp": "2024-05-06T07:00:00Z",  # the hour is enough
        "missing_server_entry_signature": "dGhlIHRhZw==",
        "missing_server_entry_provider_id": "dGhlIHRhZw==",
        "is_replay": "0",
        "established_tunnels_count": "0",
    }
    assert expected.items() <= parameters.items()
    assert str(parameters["ssh_client_version"]).startswith("SSH-2.0-OpenSSH_")


def test_an_entry_that_lacks_nothing_is_not_asked_for() -> None:
    whole = dial(signature="signed", provider_id="somebody")
    parameters = api.handshake_parameters(identity(), whole, SeededRng(1))
    assert not [name for name in parameters if name.startswith("missing")]


def test_the_handshake_says_how_the_tunnel_came_about() -> None:
    known = api.Circumstances(network_type="WIFI", established_tunnels=2, dial_duration=1.2346)
    parameters = api.handshake_parameters(identity(), dial(), SeededRng(1), known)
    expected = {"network_type": "WIFI", "established_tunnels_count": "2", "dial_duration": "1235"}
    assert expected.items() <= parameters.items()
    bare = api.handshake_parameters(identity(), dial(), SeededRng(1))
    assert not {"network_type", "dial_duration", "replay_ignored_change"} & set(bare)


def test_the_handshake_says_that_an_attempt_was_a_replay() -> None:
    replay = dataclasses.replace(dial(), is_replay=True, replay_ignored_change=True)
    parameters = api.handshake_parameters(identity(), replay, SeededRng(1))
    assert (parameters["is_replay"], parameters["replay_ignored_change"]) == ("1", "1")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, {}),
        ({"SplitTunnelExcludedHosts": ["site.example"]}, {}),  # that is nobody's business
        ({"SplitTunnelOwnRegion": True}, {"split_tunnel": "1"}),
        (
            {"SplitTunnelOwnRegion": True, "SplitTunnelRegions": ["DE", "FR"]},
            {"split_tunnel": "1", "split_tunnel_regions": ["DE", "FR"]},
        ),
    ],
)
def test_the_handshake_says_which_countries_are_not_tunnelled(
    settings: dict[str, object], told: dict[str, object]
) -> None:
    parameters = api.handshake_parameters(identity(**settings), dial(), SeededRng(1))
    assert {name: value for name, value in parameters.items() if name.startswith("split")} == told
    assert validate(unpack(api.encode(identity(**settings), dial(), parameters)), HANDSHAKE)


@pytest.mark.parametrize("encoding", ["cbor", "json"])
def test_the_handshake_carries_the_authorizations(encoding: str) -> None:
    authorization, _ = AuthorizationKey.generate("speed", SeededRng(1)).issue(b"purchase", 2e9)
    who = identity(Authorizations=[authorization], TargetAPIEncoding=encoding)
    said = unpack(api.encode(who, dial(), api.handshake_parameters(who, dial(), SeededRng(1))))
    assert said["authorizations"] == [authorization]
    assert "authorizations" not in api.handshake_parameters(identity(), dial(), SeededRng(1))


def test_of_an_upstream_proxy_only_the_kind_is_told() -> None:
    who = identity(UpstreamProxyURL="SOCKS5://ann:secret@192.0.2.9:1080")
    parameters = api.handshake_parameters(who, dial(), SeededRng(1))
    assert parameters["upstream_proxy_type"] == "socks5"
    assert not [value for value in parameters.values() if "192.0.2.9" in str(value)]


def test_a_server_takes_every_request() -> None:
    known = api.Circumstances(network_type="WIFI", established_tunnels=2, dial_duration=1.2346)
    who = identity(UpstreamProxyURL="http://192.0.2.9:1080", EgressRegion="CH", ClientPlatform="Linux_x")
    parameters = api.handshake_parameters(who, dial(), SeededRng(1), known)
    understood = unpack(api.encode(who, dial(), dict(parameters)))
    assert parameters.items() - {("padding", "")} <= validate(understood, HANDSHAKE).items() | {
        (name, understood[name]) for name in ("client_session_id", "pad_response", "padding")
    }


def test_two_attempts_made_alike_are_described_alike() -> None:
    who = identity()
    first = api.about_attempt(who, dial(), "WIFI")
    second = api.about_attempt(who, dataclasses.replace(dial(), candidate_number=9), "WIFI")
    assert [*first.items()] == [*second.items()]
    assert "192.0.2.1" not in str(first)


@pytest.mark.parametrize("encoding", ["", "cbor", "json"])
def test_both_encodings_say_the_same(encoding: str) -> None:
    who = identity(TargetAPIEncoding=encoding)
    parameters = api.handshake_parameters(who, dial(), SeededRng(1))
    payload = api.encode(who, dial(), dict(parameters))
    assert payload[:1] == b"{" if encoding == "json" else payload[:2] == b"\x00\x01"
    understood = unpack(payload)
    assert parameters.items() <= understood.items()
    # Only JSON requests are proven with the secret (tunnel spec §5).
    assert understood.get("server_secret") == ("a1b2" if encoding == "json" else None)


def test_the_connected_request() -> None:
    first = api.connected_parameters(identity(), dial(), SeededRng(1), "", 1234)
    later = api.connected_parameters(identity(), dial(), SeededRng(1), "2024-01-01T00:00:00Z", 0)
    assert (first["last_connected"], first["establishment_duration"]) == ("None", "1234")
    assert (later["last_connected"], later["establishment_duration"]) == ("2024-01-01T00:00:00Z", "0")
    assert first["relay_protocol"] == "SSH"


def test_a_status_request_is_json_whatever_the_encoding() -> None:
    payload = api.status_payload(identity(TargetAPIEncoding="cbor"), dial(), SeededRng(1), {"(OTHER)": 5})
    said = json.loads(payload)
    assert said["statusData"] == {
        "host_bytes": {"(OTHER)": 5},
        "bytes_transferred": 0,
        "page_views": [],
        "https_requests": [],
    }
    assert said["server_secret"] == "a1b2"


@pytest.mark.parametrize(
    ("reply", "stamp"),
    [
        (b'{"connected_timestamp": "2024-01-01T00:00:00Z"}', "2024-01-01T00:00:00Z"),
        (None, ""),
        (b"", ""),
        (b"{}", ""),
        (b"[]", ""),
        (b'"connected_timestamp"', ""),
        (b'{"connected_timestamp": 5}', ""),
        (b'{"connected_timestamp": null}', ""),
        (b"\xff\xfe", ""),
        (b'{"connected_timestamp": "\\ud800"}', ""),
        (b'{"connected_timestamp": "' + b"1" * 65 + b'"}', ""),
        (b"[" * 100_000, ""),
    ],
)
def test_the_connected_reply(reply: bytes | None, stamp: str) -> None:
    assert api.connected_timestamp(reply) == stamp


@pytest.mark.parametrize(
    ("reply", "tags"),
    [
        (b'{"invalid_server_entry_tags": ["a", "b"], "padding": " "}', ["a", "b"]),
        (b'{"invalid_server_entry_tags": ["a", 5, null, ["b"]]}', ["a"]),
        (b'{"invalid_server_entry_tags": null}', []),
        (b'{"invalid_server_entry_tags": "ab"}', []),
        (b"{}", []),
        (b"[]", []),
        (b"", []),
        (None, []),
        (b"\xff", []),
        (b"[" * 100_000, []),
    ],
)
def test_the_status_reply(reply: bytes | None, tags: list[str]) -> None:
    assert api.invalid_tags(reply) == tags


def test_the_status_reply_is_bounded() -> None:
    reply = json.dumps({"invalid_server_entry_tags": ["tag"] * 100_000}).encode()
    assert len(api.invalid_tags(reply)) == api.MAX_TAGS
