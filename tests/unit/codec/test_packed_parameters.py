"""API parameters in both forms; the table itself is checked in tests/vectors."""

import base64
import json

import cbor2
import pytest

from headrace.base.errors import LocalProtocolError, RemoteProtocolError
from headrace.codec.packed_parameters import PACKED_PREAMBLE, pack, to_json, unpack


def packed(values: dict[object, object]) -> bytes:
    return PACKED_PREAMBLE + cbor2.dumps(values, canonical=True)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


AUTHORIZATION = b64(
    json.dumps(
        {
            "Authorization": {
                "ID": "aWQ=",
                "AccessType": "speed-boost",
                "Expires": "2030-01-02T03:04:05.678901234Z",
            },
            "SigningKeyID": b64(b"key"),
            "Signature": b64(b"signature"),
        },
        separators=(",", ":"),
    ).encode()
)

PARAMETERS: dict[str, object] = {
    "authorizations": [AUTHORIZATION],
    "applied_tactics_tag": "",
    "speed_test_samples": [{"s": "2024", "rttms": 5}],
    "client_session_id": "00112233445566778899aabbccddeeff",
    "sponsor_id": "FEDCBA9876543210",
    "client_version": "-7",
    "client_features": ["a", "b"],
    "network_latency_multiplier": "1.500000",
    "inproxy_connection_id": "AAEC",
    "missing_server_entry_signature": b64(b"tag!"),
    "statusData": {"host_bytes": {"(OTHER)": 5}},
}


def test_packed_round_trip() -> None:
    assert unpack(pack(PARAMETERS)) == PARAMETERS


def test_json_round_trip() -> None:
    assert unpack(to_json(PARAMETERS)) == PARAMETERS


def test_status_data_is_json_inside() -> None:
    assert b'{"host_bytes":{"(OTHER)":5}}' in pack(PARAMETERS)


def test_what_deployed_clients_leave_empty() -> None:
    assert unpack(packed({1: b"\x80", 3: None, 4: b"", 10: None, 11: ""})) == {
        "authorizations": [],
        "applied_tactics_tag": "",
        "client_build_rev": "",
    }
    assert unpack(b'{"authorizations":null,"client_features":null}') == {}


def test_scalars_become_text() -> None:
    assert unpack(b'{"a":1,"b":true,"c":false,"d":1.5,"e":"x","f":[1]}') == {
        "a": "1",
        "b": "1",
        "c": "0",
        "d": "1.5",
        "e": "x",
        "f": [1],
    }
    assert unpack(packed({9: 5, 30: True})) == {"client_platform": "5", "server_entry_timestamp": "1"}


def test_unknown_keys_are_ignored() -> None:
    assert unpack(packed({9: "Linux", 9999: b"later", -1: {1: 2}})) == {"client_platform": "Linux"}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0",
        b"\0\x02\xa0",
        b"[]",
        b"{",
        b'{"a":NaN}',
        b'{"a":' * 5_000,
        b'{"a":' + b"[" * 20 + b"]" * 20 + b"}",
        b'{"a":"' + b"x" * 300_000 + b'"}',
        b'{"a":"\xff"}',
        PACKED_PREAMBLE + b"\x80",
        packed({"client_platform": "x"}),
        packed({True: b""}),
        packed({1: []}),  # a list instead of one byte string
        packed({1: cbor2.dumps({})}),
        packed({1: cbor2.dumps([{1: b"id"}])}),
        packed({1: b"\xff"}),
        packed({3: {}}),
        packed({3: [1]}),
        packed({3: [{1: 1}]}),
        packed({3: [{"a": b"b"}]}),
        packed({5: "text"}),
        packed({8: "7"}),
        packed({8: True}),
        packed({8: 1.0}),
        packed({9: b"bytes"}),
        packed({10: [b"bytes"]}),
        packed({52: 1}),
        packed({142: {}}),
        packed({142: b"[]"}),
        packed({142: b"not JSON"}),
    ],
)
def test_garbage(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        unpack(payload)


@pytest.mark.parametrize(
    "parameters",
    [
        {"no such name": "x"},
        {"client_version": "seven"},
        {"client_version": 7},
        {"client_session_id": "xx"},
        {"network_latency_multiplier": "inf"},
        {"missing_server_entry_signature": "***"},
        {"authorizations": "x"},
        {"authorizations": [b64(b"{}")]},
        {"authorizations": [b64(b"[")]},
    ],
)
def test_what_cannot_be_packed(parameters: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError, match=next(iter(parameters))):
        pack(parameters)
