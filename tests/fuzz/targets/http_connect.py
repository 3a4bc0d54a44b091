"""What an HTTP proxy answers to CONNECT: any bytes end somehow or are waited for, logging in or not."""

from tests.fuzz.targets.socks_client import check

from headrace.base.rng import SeededRng
from headrace.codec.http_connect import HttpConnect
from headrace.codec.http_login_way import Identity

SEEDS = [
    b"HTTP/1.1 200 OK\r\n\r\npayload",
    b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    (
        b"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n"
        b"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM TlRMTVNTUAACAAAA\r\nContent-Length: 0\r\n\r\n"
    ),
    b"HTTP/1.1 407 No\r\nProxy-Authenticate: Digest realm=a, nonce=b, stale=true\r\nContent-Length: 0\r\n\r\n"
    * 3,
    b"HTTP/1.0 407 No\r\nProxy-Authenticate: Digest a=b, Basic\r\nProxy-Connection: close\r\n\r\n",
    b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n",
]


def fuzz(data: bytes) -> None:
    """`data` is what the proxy sends."""
    for user in ("", "user"):
        identity = Identity(user, user, "proxy.example")
        check(lambda who=identity: HttpConnect("a.example", 80, who, SeededRng(1)), data)  # type: ignore[misc]
