"""The handshake response in both forms."""

import cbor2
import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.codec.handshake_response import HandshakeResponse, decode_handshake_response

RESPONSE = HandshakeResponse(
    homepages=["https://home.example/?a=1&b=2"],
    encoded_server_list=["3020"],
    client_region="NL",
    client_address="192.0.2.1:5000",
    server_timestamp="2024-01-02T03:04:05Z",
    upstream_bytes_per_second=1000,
    padding="   ",
)


def test_json_is_what_deployed_clients_read() -> None:
    assert RESPONSE.to_json() == (
        b'{"homepages":["https://home.example/?a=1&b=2"],"encoded_server_list":["3020"],"client_region":"NL",'
        b'"client_address":"192.0.2.1:5000","server_timestamp":"2024-01-02T03:04:05Z",'
        b'"upstream_bytes_per_second":1000,"padding":"   "}'
    )


def test_cbor_numbers_the_members() -> None:
    assert cbor2.loads(RESPONSE.to_cbor()) == {
        1: ["https://home.example/?a=1&b=2"],
        5: ["3020"],
        6: "NL",
        7: "192.0.2.1:5000",
        8: "2024-01-02T03:04:05Z",
        12: 1000,
        15: "   ",
    }


def test_both_forms_round_trip() -> None:
    assert decode_handshake_response(RESPONSE.to_json()) == RESPONSE
    assert decode_handshake_response(RESPONSE.to_cbor()) == RESPONSE


def test_tactics_stay_opaque() -> None:
    as_json = HandshakeResponse(tactics_payload=b'{"Tag":"ab","Tactics":null}')
    assert decode_handshake_response(as_json.to_json()) == as_json
    as_cbor = HandshakeResponse(tactics_payload=b"\xa0", tactics_payload_compression=1)
    assert decode_handshake_response(as_cbor.to_cbor()) == as_cbor


@pytest.mark.parametrize(
    "payload", [b"{}", b"\xa0", b'{"homepages":null,"tactics_payload":null,"new":{"x":1}}']
)
def test_empty(payload: bytes) -> None:
    assert decode_handshake_response(payload) == HandshakeResponse()


def test_server_time() -> None:
    assert RESPONSE.server_time() == 1_704_164_645
    assert HandshakeResponse().server_time() is None
    assert HandshakeResponse(server_timestamp="yesterday").server_time() is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"{" + b" " * 300_000,
        b'{"homepages":"x"}',
        b'{"homepages":' + b"[" * 5_000,
        b'{"upstream_bytes_per_second":"1"}',
        b"\x80",
        b"\xa1\x01\x01",
        b"\xa1\x0a\x01",
        b"\x00",
    ],
)
def test_garbage(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_handshake_response(payload)
