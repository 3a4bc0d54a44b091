"""API parameters: any payload unpacks to what JSON can hold, or raises RemoteProtocolError."""

from headrace.base.errors import RemoteProtocolError
from headrace.codec.handshake_response import HandshakeResponse, decode_handshake_response
from headrace.codec.packed_parameters import pack, to_json, unpack

SEEDS = [
    b'{"sponsor_id":"FFFFFFFFFFFFFFFF","client_features":["a"],"is_replay":false,"statusData":{"host_bytes":{}}}',
    pack({"sponsor_id": "F" * 16, "client_version": "1", "client_features": ["a"], "padding": "  "}),
    HandshakeResponse(homepages=["https://a.example/"], client_region="CH", padding=" ").to_json(),
    HandshakeResponse(encoded_server_list=["00"], upstream_bytes_per_second=5).to_cbor(),
]


def fuzz(data: bytes) -> None:
    """`data` is the payload of a global request, and of the answer to one."""
    try:
        parameters = unpack(data)
    except RemoteProtocolError:
        pass
    else:
        assert all(isinstance(value, str | list | dict) for value in parameters.values())
        unpack(to_json(parameters))
    try:
        decode_handshake_response(data).to_cbor()
    except RemoteProtocolError:
        pass
