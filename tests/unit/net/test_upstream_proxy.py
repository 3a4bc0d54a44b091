"""Connections through a proxy, in memory: proxies of every kind and temper, for tunnels and for requests."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.memory_network import (
    HANGS,
    Destination,
    MemoryServer,
    Network,
    Place,
    Wire,
    client_config,
    make_tunnel,
    settle,
)
from tests.web_server import Answer, WebServer, response

from headrace.base.errors import ConnectTimeout, DocumentError, NetworkError
from headrace.codec.http_login_way import Basic
from headrace.codec.socks import Event, Refused, Reply, Request, SocksParser, failure_reply, success_reply
from headrace.net import http_transport
from headrace.net.http import HttpClient
from headrace.net.upstream_proxy import MAX_CONNECTIONS, UpstreamProxy, UpstreamProxyError
from headrace.testing.fake_tcp import FakeTcp

assert http_transport  # loaded here: on virtual time there is no waiting for a thread

pytestmark = pytest.mark.virtual_time

PROXY = ("proxy.example", 8080)
THERE = ("list.example", 443)
SECRET = "hunter2"
SCHEMES = ["http", "socks4a", "socks5"]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


class Proxy(asyncio.Protocol):
    """A proxy's end of one connection: negotiates, then joins it to a place in the network."""

    def __init__(self, network: Network, scheme: str, *, login: str = "", early: bytes = b"") -> None:
        self._network = network
        self._scheme = scheme
        self._login = login
        self._early = early
        self._socks = SocksParser()
        self._head = b""
        self.asked: list[tuple[str, int]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.tcp = transport

    def data_received(self, data: bytes) -> None:
        if self._scheme == "http":
            self._head += data
            while b"\r\n\r\n" in self._head:
                head, _, self._head = self._head.partition(b"\r\n\r\n")
                self._connect(head.decode())
        else:
            for event in self._socks.receive(data):
                self._handle(event)

    def _connect(self, head: str) -> None:
        if self._login and self._login not in head:
            self.tcp.write(response(407, b"who are you?", [("Proxy-Authenticate", "Basic realm=x")]))
            return
        host, _, port = head.split()[1].rpartition(":")
        self._join(host.strip("[]"), int(port), b"HTTP/1.1 200 OK\r\n\r\n", response(502))

    def _handle(self, event: Event) -> None:
        match event:
            case Reply(data) | Refused(data):
                self.tcp.write(data)
            case Request(host, port, version, _):
                self._join(host, port, success_reply(version), failure_reply(version))

    def _join(self, host: str, port: int, granted: bytes, refused: bytes) -> None:
        self.asked.append((host, port))
        place = self._network.places.get((host, port))
        if not callable(place):
            self.tcp.write(refused)
            self.tcp.close()
            return
        protocol = place()
        self.tcp.write(granted + self._early)
        self.tcp.set_protocol(protocol)
        protocol.connection_made(self.tcp)


def install(network: Network, scheme: str, *, login: str = "", early: bytes = b"") -> list[Proxy]:
    """Put a proxy into the network; return its connections."""
    proxies: list[Proxy] = []

    def accept() -> Proxy:
        proxies.append(Proxy(network, scheme, login=login, early=early))
        return proxies[-1]

    network.places[PROXY] = accept
    return proxies


def scripted(network: Network, answers: Callable[[int], bytes], *, closing: bool = False) -> list[FakeTcp]:
    """Put something into the network that answers whatever it is sent, a number of times, with bytes."""
    connections: list[FakeTcp] = []

    class Scripted(Destination):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            assert self.tcp is not None
            self.tcp.write(answers(len(connections) - 1))
            if closing:
                self.tcp.close()

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            assert isinstance(transport, FakeTcp)
            connections.append(transport)

    network.places[PROXY] = Scripted
    return connections


def left_open(network: Network) -> list[Wire]:
    """Return our ends of connections to the proxy that are not closed."""
    return [wire for wire in network.wires[::2] if not wire.lost]


def proxy(scheme: str, login: str = "") -> UpstreamProxy:
    return UpstreamProxy.parse(f"{scheme}://{login}{PROXY[0]}:{PROXY[1]}")


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_stream(network: Network, scheme: str) -> None:
    origin = Destination()
    network.places[THERE] = lambda: origin
    proxies = install(network, scheme)
    stream = await proxy(scheme).connect(*THERE, 5)
    await stream.write(b"up")
    await settle()
    assert origin.received == b"up"
    origin.send(b"down")
    assert await stream.read() == b"down"
    assert network.dialled == [PROXY]  # the name went to the proxy, and nowhere else
    assert proxies[0].asked == [THERE]
    stream.close()
    await settle()
    assert left_open(network) == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("early", [b"", b"SSH-2.0-x\r\n", bytes(200_000)], ids=["none", "some", "a lot"])
async def test_what_comes_with_the_grant_is_not_lost(network: Network, scheme: str, early: bytes) -> None:
    network.places[THERE] = Destination
    install(network, scheme, early=early)
    stream = await proxy(scheme).connect(*THERE, 5)
    received = b""
    while len(received) < len(early):
        received += await stream.read()
    assert received == early
    stream.close()
    protocol = await proxy(scheme).dial(*THERE, Destination, 5)
    await settle()
    assert protocol.received == early
    assert protocol.tcp is not None
    protocol.tcp.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("protocol", ["OSSH", "SSH"])
async def test_a_tunnel(network: Network, scheme: str, protocol: str, tmp_path: Path) -> None:
    server = MemoryServer(network, tmp_path)
    proxies = install(network, scheme)
    tunnel = make_tunnel(server.entry, protocol)
    tunnel._proxy = proxy(scheme)
    await tunnel.connect()
    await tunnel.handshake()
    assert network.dialled == [PROXY]
    assert len(proxies) == 1
    tunnel.close()
    await tunnel.ended
    await settle()
    assert network.open == []


async def test_a_tunnel_whose_proxy_refuses(network: Network, tmp_path: Path) -> None:
    server = MemoryServer(network, tmp_path, "192.0.2.9")
    del network.places["192.0.2.9", 4001]
    install(network, "http")
    tunnel = make_tunnel(server.entry)
    tunnel._proxy = proxy("http")
    with pytest.raises(UpstreamProxyError, match="status 502"):
        await tunnel.connect()
    assert tunnel.ended.done()
    await settle()
    assert network.open == []


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_requests(network: Network, scheme: str) -> None:
    server = WebServer(lambda asked: Answer(response(200, b"body")))
    network.places["list.example", 80] = server
    install(network, scheme)
    async with HttpClient(proxy(scheme).connect) as client:
        for _ in range(2):
            async with client.request("GET", "http://list.example/x", {}) as answer:
                assert b"".join([piece async for piece in answer.aiter_raw()]) == b"body"
    assert network.dialled == [PROXY]
    assert [asked.target for asked in server.asked] == ["/x", "/x"]
    await settle()
    assert network.open == []


async def test_a_login(network: Network) -> None:
    network.places[THERE] = Destination
    install(network, "http", login="Basic YW5uOmh1bnRlcjI=")
    stream = await proxy("http", f"ann:{SECRET}@").connect(*THERE, 5)
    stream.close()
    assert network.dialled == [PROXY]
    with pytest.raises(UpstreamProxyError, match="does not accept the user name and password"):
        await proxy("http", "ann:wrong@").connect(*THERE, 5)
    with pytest.raises(UpstreamProxyError, match="wants a user name and password"):
        await proxy("http").connect(*THERE, 5)
    await settle()
    assert left_open(network) == []


async def test_a_login_on_another_connection(network: Network) -> None:
    challenge = b"HTTP/1.0 407 No\r\nProxy-Authenticate: Basic\r\n\r\n"
    connections = scripted(network, lambda number: challenge if number == 0 else b"HTTP/1.1 200 OK\r\n\r\n")
    stream = await proxy("http", f"ann:{SECRET}@").connect(*THERE, 5)
    assert len(connections) == 2
    stream.close()
    await settle()
    assert left_open(network) == []


async def test_a_login_without_an_end(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Basic, "challenged", lambda self, offers, closing: True)
    challenge = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nConnection: close\r\n\r\n"
    connections = scripted(network, lambda number: challenge)
    with pytest.raises(UpstreamProxyError, match="closes one connection after the other"):
        await proxy("http", f"ann:{SECRET}@").connect(*THERE, 5)
    assert len(connections) == MAX_CONNECTIONS
    await settle()
    assert left_open(network) == []


BROKEN = ["cannot be reached", "closed the connection", "does not answer as", "broke the connection"]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("problem", BROKEN)
async def test_a_proxy_that_does_not_work(network: Network, scheme: str, problem: str) -> None:
    if problem == "closed the connection":
        scripted(network, lambda number: b"", closing=True)
    elif problem == "does not answer as":
        scripted(network, lambda number: f"ERR {SECRET}\r\n\r\n".encode())
    elif problem == "broke the connection":
        network.places[PROXY] = Resetting
    with pytest.raises(UpstreamProxyError, match=problem) as caught:
        await proxy(scheme, f"ann:{SECRET}@").connect(*THERE, 5)
    assert not [text for text in (SECRET, "example", "8080", "443") if text in str(caught.value)]
    with pytest.raises(UpstreamProxyError, match=problem):
        await proxy(scheme).dial(*THERE, Destination, 5)
    await settle()
    assert left_open(network) == []


class Resetting(Destination):
    """Resets whoever says something."""

    def data_received(self, data: bytes) -> None:
        assert self.tcp is not None
        self.tcp.abort()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("place", "error"), [(HANGS, UpstreamProxyError), (Destination, ConnectTimeout)])
async def test_a_proxy_that_takes_too_long(
    network: Network, scheme: str, place: Place, error: type[NetworkError]
) -> None:
    """One that does not even take the connection is at fault; else it may be the host behind it."""
    network.places[PROXY] = place
    begun = asyncio.get_running_loop().time()
    with pytest.raises(error, match="within 5 s"):
        await proxy(scheme).connect(*THERE, 5)
    assert asyncio.get_running_loop().time() - begun == pytest.approx(5, abs=0.01)
    await settle()
    assert left_open(network) == []


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_called_off_at_every_step(network: Network, scheme: str) -> None:
    network.places[THERE] = Destination
    install(network, scheme)
    finished = 0
    for steps in range(30):
        task = asyncio.create_task(proxy(scheme).connect(*THERE, 5))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(outcome, BaseException):
            outcome.close()
            finished += 1
        await settle()
        assert left_open(network) == []
    assert finished


@pytest.mark.parametrize("host", ["", "a b", "x" * 300, "a\r\nb"])
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_what_no_host_can_be_called(network: Network, scheme: str, host: str) -> None:
    install(network, scheme)
    with pytest.raises(NetworkError, match="no host has such a name"):
        await proxy(scheme).connect(host, 443, 5)
    assert network.dialled == []


class Buffered(asyncio.BufferedProtocol):
    """A protocol with a small buffer of its own, like a tunnel's but for the size."""

    def __init__(self) -> None:
        self.received = b""
        self.finished = False
        self._buffer = bytearray(1000)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.tcp = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received += self._buffer[:nbytes]

    def eof_received(self) -> bool:
        self.finished = True
        return False


@pytest.mark.parametrize("early", [b"SSH-2.0-x\r\n", bytes(range(250)) * 1000], ids=["some", "a lot"])
async def test_a_protocol_with_a_buffer_of_its_own(network: Network, early: bytes) -> None:
    network.places[THERE] = Destination
    install(network, "socks5", early=early)
    protocol = await proxy("socks5").dial(*THERE, Buffered, 5)
    await settle()
    assert protocol.received == early
    protocol.tcp.close()


@pytest.mark.parametrize("kind", [Destination, Buffered])
async def test_what_came_before_the_protocol_did(
    network: Network, kind: Callable[[], Destination] | Callable[[], Buffered]
) -> None:
    """Bytes and the end that arrive while nobody is in charge yet are the protocol's all the same."""
    network.places[THERE] = Destination
    install(network, "socks5")
    stream = await proxy("socks5")._connect(*THERE, 5)
    stream.data_received(bytes(200_000))
    assert not network.wires[0].reading
    stream.eof_received()
    protocol = kind()
    stream.hand_over(protocol)
    assert network.wires[0].reading
    assert protocol.received == bytes(200_000)
    assert protocol.finished
    assert network.wires[0].is_closing() == isinstance(protocol, Buffered)
    network.wires[0].close()


async def test_a_protocol_that_closes_hears_no_more(network: Network) -> None:
    class Impatient(Destination):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            assert self.tcp is not None
            self.tcp.abort()

    network.places[THERE] = Destination
    install(network, "socks5")
    stream = await proxy("socks5")._connect(*THERE, 5)
    stream.data_received(b"one")
    stream.data_received(b"two")
    stream.eof_received()
    protocol = Impatient()
    stream.hand_over(protocol)
    assert protocol.received == b"one"
    assert not protocol.finished


async def test_a_connection_that_broke_before_the_protocol_came(network: Network) -> None:
    def late() -> Destination:
        for wire in network.open:
            wire.abort()
        return Destination()

    network.places[THERE] = Destination
    install(network, "socks5")
    with pytest.raises(UpstreamProxyError, match="broke the connection"):
        await proxy("socks5").dial(*THERE, late, 5)


async def test_a_destination_that_ends_at_once_ends_the_protocol(network: Network) -> None:
    class Brief(Destination):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.send(b"goodbye")
            assert self.tcp is not None
            self.tcp.close()

    network.places[THERE] = Brief
    install(network, "socks5")
    protocol = await proxy("socks5").dial(*THERE, Destination, 5)
    await settle()
    assert protocol.received == b"goodbye"
    assert protocol.finished


def test_urls() -> None:
    with pytest.raises(DocumentError, match="the upstream proxy's URL names no port") as caught:
        UpstreamProxy.parse(f"http://ann:{SECRET}@proxy")
    assert SECRET not in str(caught.value)


async def test_from_a_configuration() -> None:
    assert UpstreamProxy.from_config(client_config()) is None
    config = client_config(UpstreamProxyURL=f"socks5://ann:{SECRET}@proxy:1080")
    made = UpstreamProxy.from_config(config)
    assert made is not None
    assert SECRET not in repr(made)
    assert made.kind == "socks5"


async def test_headers_from_a_configuration(network: Network) -> None:
    headers = {"X-Plan": [SECRET, "best"], "Host": ["allowed.example"]}
    made = UpstreamProxy.from_config(
        client_config(UpstreamProxyURL="http://proxy.example:8080", CustomHeaders=headers)
    )
    assert made is not None
    assert (made.kind, made.header_names) == ("http", ["X-Plan", "Host"])
    assert SECRET not in repr(made)
    asked = b""

    class Recording(Destination):
        def data_received(self, data: bytes) -> None:
            nonlocal asked
            asked += data
            assert self.tcp is not None
            self.tcp.write(b"HTTP/1.1 200 OK\r\n\r\n")

    network.places[PROXY] = Recording
    (await made.connect(*THERE, 5)).close()
    assert asked.startswith(b"CONNECT list.example:443 HTTP/1.1\r\nHost: allowed.example\r\n")
    assert f"X-Plan: {SECRET}\r\nX-Plan: best\r\n".encode() in asked
    assert UpstreamProxy.parse("socks5://proxy:1080", [("X-Plan", "x")]).header_names == []


async def test_a_connection_that_was_reset_is_replaced(network: Network) -> None:
    """A proxy may have hung up by the time the log-in comes; TCP then says so with a reset."""
    connections = 0

    class HangsUp(Destination):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            nonlocal connections
            super().connection_made(transport)
            connections += 1

        def data_received(self, data: bytes) -> None:
            assert self.tcp is not None
            if b"Proxy-Authorization" not in data:
                self.tcp.write(response(407, b"", [("Proxy-Authenticate", "Basic realm=x")]))
            elif connections == 1:
                self.tcp.abort()
            else:
                self.tcp.write(b"HTTP/1.1 200 OK\r\n\r\n")

    network.places[PROXY] = HangsUp
    (await proxy("http", f"ann:{SECRET}@").connect(*THERE, 5)).close()
    assert connections == 2
    await settle()
    assert left_open(network) == []
