"""API parameters: any payload unpacks to what JSON can hold, or raises RemoteProtocolError."""

from headrace.base.errors import RemoteProtocolError
from headrace.codec.handshake_response import decode_handshake_response
from headrace.codec.packed_parameters import to_json, unpack


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
