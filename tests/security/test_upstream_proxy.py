"""Attack: the upstream proxy is hostile, or somebody answers in its place."""

import asyncio
import base64
import random
from collections.abc import Callable

import pytest
from tests.memory_network import Destination, Network, settle
from tests.unit.codec.test_ntlm import CHALLENGE, OFFER, message, ntlm, offer

from headrace.base.errors import NetworkError
from headrace.codec.http_connect import MAX_HEAD, MAX_REQUESTS
from headrace.codec.http_login_way import Impossible
from headrace.net.upstream_proxy import MAX_CONNECTIONS, UpstreamProxy, UpstreamProxyError
from headrace.testing.fake_tcp import FakeTcp

pytestmark = pytest.mark.virtual_time

PROXY = ("proxy.example", 8080)
THERE = ("list.example", 443)
USER, PASSWORD = "annika", "hunter2"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode())
SCHEMES = ["http", "socks4a", "socks5"]


class Hostile:
    """What stands where the proxy should be. `answer` makes an answer of what was just received."""

    def __init__(self, network: Network, answer: Callable[[bytes], bytes], *, closing: bool = False) -> None:
        self.heard: list[bytes] = []
        self.connections: list[FakeTcp] = []
        hostile = self

        class Connection(Destination):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                assert isinstance(transport, FakeTcp)
                hostile.connections.append(transport)

            def data_received(self, data: bytes) -> None:
                hostile.heard.append(bytes(data))
                assert self.tcp is not None
                self.tcp.write(answer(bytes(data)))
                if closing:
                    self.tcp.close()

        network.places[PROXY] = Connection


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


def proxy(scheme: str = "http") -> UpstreamProxy:
    return UpstreamProxy.parse(f"{scheme}://{USER}:{PASSWORD}@{PROXY[0]}:{PROXY[1]}")


async def refused(scheme: str = "http") -> str:
    """Have a connection fail; return why."""
    with pytest.raises(NetworkError) as caught:
        await proxy(scheme).connect(*THERE, 5)
    await settle()
    return str(caught.value)


CHALLENGES = [
    b"Basic realm=x",
    b'Digest realm="x", nonce="y", qop="auth", stale=true',
    b"NTLM",
    b"NTLM " + base64.b64encode(CHALLENGE),
    b'NTLM, Digest realm="x", nonce="y", stale=true, Basic realm=x',
]


@pytest.mark.parametrize("closing", [False, True])
@pytest.mark.parametrize("challenge", CHALLENGES)
async def test_challenges_without_end(network: Network, challenge: bytes, closing: bool) -> None:
    head = b"HTTP/1.1 407 No\r\nProxy-Authenticate: " + challenge + b"\r\nContent-Length: 0\r\n\r\n"
    hostile = Hostile(network, lambda heard: head, closing=closing)
    reason = await refused()
    assert PASSWORD not in reason
    assert len(hostile.connections) <= MAX_CONNECTIONS
    assert len(hostile.heard) <= MAX_REQUESTS
    assert network.open == []


async def test_heads_and_pages_without_end(network: Network) -> None:
    """Each is given up at its bound, however much of it there would be."""
    for start in (
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nTransfer-Encoding: chunked\r\n\r\n",
    ):
        sent = 0

        class Endless(Destination):
            async def pour(self, start: bytes = start) -> None:
                nonlocal sent
                assert isinstance(self.tcp, asyncio.Transport)
                self.tcp.write(start)
                for _ in range(2000):
                    if self.finished or self.tcp.is_closing():
                        break
                    piece = b"X-Pad: " + b"x" * 1000 + b"\r\n"
                    self.tcp.write(piece if b"200" in start else b"3ea\r\n" + b"x" * 1002 + b"\r\n")
                    sent += len(piece)
                    await asyncio.sleep(0)
                self.tcp.close()

            def data_received(self, data: bytes) -> None:
                self.pouring = asyncio.create_task(self.pour())

        network.places[PROXY] = Endless
        assert PASSWORD not in await refused()
        assert sent < 2 * MAX_HEAD
        assert network.open == []


TALK = {
    "nothing sensible": b"\0" * 1000,
    "HTTP": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x28",
    "SMTP": b"220 mail.example ESMTP\r\n",
    "SOCKS 4": b"\0\x5b\0\0\0\0\0\0",
    "SOCKS 5": b"\x05\xff",
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("talk", TALK)
async def test_another_protocol(network: Network, scheme: str, talk: str) -> None:
    hostile = Hostile(network, lambda heard: TALK[talk])
    reason = await refused(scheme)
    assert "upstream proxy" in reason
    assert PASSWORD not in reason
    assert len(hostile.heard) <= 2
    assert network.open == []


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_random_answers(network: Network, scheme: str) -> None:
    """Whatever is answered, there is a stream or an error of the proxy's, and nothing stays open."""
    draw = random.Random(scheme)
    for _ in range(200):
        Hostile(network, lambda heard: draw.choice([b"", b"HTTP/1.1 ", b"\x05\0"]) + draw.randbytes(20))
        try:
            (await proxy(scheme).connect(*THERE, 5)).close()
        except NetworkError:
            pass
        await settle()
    assert network.open == []


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://evil.example:8080/\r\n",
        b"HTTP/1.1 305 Use Proxy\r\nLocation: http://evil.example:8080/\r\n",
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\n",
        b'HTTP/1.1 407 No\r\nProxy-Authenticate: Digest realm="x", nonce="y", domain="http://evil.example/"\r\n',
    ],
)
async def test_nobody_but_the_configured_proxy_is_asked(network: Network, head: bytes) -> None:
    network.places["evil.example", 8080] = Destination
    Hostile(network, lambda heard: head + b"Content-Length: 0\r\n\r\n")
    await refused()
    assert set(network.dialled) == {PROXY}


@pytest.mark.parametrize("status", [b"200", b"401", b"302"])
async def test_the_password_is_told_only_when_it_is_asked_for(network: Network, status: bytes) -> None:
    hostile = Hostile(network, lambda heard: b"HTTP/1.1 " + status + b" x\r\nContent-Length: 0\r\n\r\n")
    if status == b"200":
        (await proxy().connect(*THERE, 5)).close()
    else:
        await refused()
    assert not [heard for heard in hostile.heard if BASIC in heard or PASSWORD.encode() in heard]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_destinations_hear_nothing_of_the_log_in(network: Network, scheme: str) -> None:
    """A proxy that joins us to the destination before it has asked for the log-in gets no further."""
    grants = {"http": b"HTTP/1.1 200 OK\r\n\r\n", "socks4a": b"\0\x5a" + bytes(6), "socks5": b""}
    negotiation: list[bytes] = []

    def answer(heard: bytes) -> bytes:
        negotiation.append(heard)
        if scheme == "socks5":
            replies = {1: b"\x05\x02", 2: b"\x01\0", 3: b"\x05\0\0\x01" + bytes(6)}
            return replies.get(len(negotiation), b"")
        return grants[scheme] if len(negotiation) == 1 else b""

    hostile = Hostile(network, answer)
    stream = await proxy(scheme).connect(*THERE, 5)
    steps = len(hostile.heard)
    await stream.write(b"GET / HTTP/1.1\r\n\r\n")
    await settle()
    assert b"".join(hostile.heard[steps:]) == b"GET / HTTP/1.1\r\n\r\n"
    stream.close()


@pytest.mark.parametrize("size", [0, 1, 0x7F, 0xFFFF])
@pytest.mark.parametrize("place", [0, 1, 11, 12, 47, 48, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_ntlm_fields_that_lead_outside(size: int, place: int) -> None:
    """Lengths and offsets of both fields of a challenge: an answer of ordinary size, or none."""
    for start in (12, 40):
        field = size.to_bytes(2, "little") * 2 + place.to_bytes(4, "little")
        forged = CHALLENGE[:start] + field + CHALLENGE[start + 8 :]
        way = ntlm()
        way.challenged(OFFER, closing=False)
        try:
            way.challenged(offer(forged), closing=False)
        except Impossible:
            continue
        assert len(message(way)) < 1000


def test_random_ntlm_challenges() -> None:
    draw = random.Random(2)
    for _ in range(300):
        forged = bytearray(CHALLENGE)
        for _ in range(draw.randrange(1, 5)):
            forged[draw.randrange(len(forged))] = draw.randrange(256)
        way = ntlm()
        way.challenged(OFFER, closing=False)
        try:
            way.challenged(offer(bytes(forged[: draw.randrange(20, len(forged) + 1)])), closing=False)
        except Impossible:
            continue
        assert len(message(way)) < 1000


async def test_an_error_repeats_nothing_that_the_proxy_said(network: Network) -> None:
    Hostile(network, lambda heard: b"HTTP/1.1 403 \x1b[31mevil 192.0.2.77\r\nX: 192.0.2.77\r\n\r\n")
    with pytest.raises(UpstreamProxyError) as caught:
        await proxy().connect(*THERE, 5)
    assert "evil" not in str(caught.value)
    assert "192.0.2.77" not in str(caught.value)
