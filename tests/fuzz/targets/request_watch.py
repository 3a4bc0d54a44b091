"""The start of a connection: any bytes are a request or none, and none is one only if it is cut otherwise."""

from headrace.codec.request_watch import RequestWatch, Sight

SEEDS = [
    b"GET /a HTTP/1.1\r\nHost: a.example\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
    b"POST /a HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
    b"PUT /a HTTP/1.1\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n0\r\na: b\r\n\r\n",
    b"POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
]


def fuzz(data: bytes) -> None:
    """`data` is what somebody sends first."""
    whole = RequestWatch().receive(data)
    watch = RequestWatch()
    cut = Sight.UNCLEAR
    for at in range(0, len(data), 7):
        cut = watch.receive(data[at : at + 7])
    assert (cut is Sight.NO_REQUEST) == (whole is Sight.NO_REQUEST)
    assert (cut is Sight.UNCLEAR) == (whole is Sight.UNCLEAR)
    assert whole is not Sight.WHOLE or cut is Sight.WHOLE
