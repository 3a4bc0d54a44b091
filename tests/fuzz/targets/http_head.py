"""HTTP heads: any bytes parse, want more or raise RemoteProtocolError; others read the same in them."""

import h11

from headrace.base.errors import RemoteProtocolError
from headrace.codec.http_basic import basic_credentials
from headrace.codec.http_head import MAX_HEAD, head_end, parse_request, parse_response

SEEDS = [
    b"GET http://a.example:81/b?c HTTP/1.1\r\nHost: a\r\nProxy-Connection: x\r\nConnection: y\r\n\r\n",
    b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic YTpi\r\n\r\n\x16\x03\x01",
    b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    b"POST http://u@a HTTP/1.0\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nabc",
]


def fuzz(data: bytes) -> None:
    """`data` is the start of a connection to the local HTTP proxy, or what an origin says."""
    try:
        end = head_end(data)
    except RemoteProtocolError:
        return
    if not end:
        assert len(data) < MAX_HEAD
        return
    for parse in (_request, _response):
        try:
            parse(data[:end])
        except RemoteProtocolError:
            continue


def _request(data: bytes) -> None:
    head = parse_request(data)
    basic_credentials(head.fields.authorization)
    if head.target.form != "absolute":
        return
    onward = head.onward()
    assert head_end(onward) == len(onward)
    again = h11.Connection(h11.SERVER, MAX_HEAD * 2)
    again.receive_data(onward)
    event = again.next_event()
    assert isinstance(event, h11.Request)
    names = [name for name, _ in event.headers]
    assert names.count(b"host") == 1
    assert b"proxy-authorization" not in names
    assert (b"transfer-encoding" in names) == head.fields.chunked
    assert not head.fields.chunked or b"content-length" not in names


def _response(data: bytes) -> None:
    onward = parse_response(data).onward(b"Connection: close\r\n")
    assert head_end(onward) == len(onward)
    assert parse_response(onward).onward(b"Connection: close\r\n") == onward
