"""UDP flows, against sockets on loopback."""

import asyncio
import gc
import socket
from collections.abc import Iterator

import pytest

from headrace.net.udp_flow import UdpAddress, UdpFlow, UdpPort


@pytest.fixture(params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((request.param, 0))
        sock.settimeout(5)
        yield sock


async def test_there_and_back(server: socket.socket) -> None:
    arrived: asyncio.Queue[bytes] = asyncio.Queue()
    host, port = server.getsockname()[:2]
    flow = UdpFlow(host, port, arrived.put_nowait)
    flow.send(b"question")
    data, sender = server.recvfrom(100)
    assert data == b"question"
    for answer in (b"one", b"", b"x" * 9000):
        server.sendto(answer, sender)
        assert await asyncio.wait_for(arrived.get(), 5) == answer
    flow.close()
    flow.close()


async def test_datagrams_from_elsewhere_do_not_arrive() -> None:
    arrived: asyncio.Queue[bytes] = asyncio.Queue()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        server.bind(("127.0.0.1", 0))
        flow = UdpFlow("127.0.0.1", server.getsockname()[1], arrived.put_nowait)
        flow.send(b"question")
        _, client = server.recvfrom(100)
        stranger.sendto(b"forged", client)
        server.sendto(b"answer", client)
        assert await asyncio.wait_for(arrived.get(), 5) == b"answer"
        assert arrived.empty()
        flow.close()


async def test_nobody_there_is_no_error() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    flow = UdpFlow("127.0.0.1", port, lambda datagram: None)
    for _ in range(5):
        flow.send(b"anybody?")
        await asyncio.sleep(0)
    flow.close()
    flow.send(b"after the end")


async def test_a_receiver_may_close_the_flow(server: socket.socket) -> None:
    host, port = server.getsockname()[:2]
    arrived: list[bytes] = []
    done = asyncio.Event()

    def receive(datagram: bytes) -> None:
        arrived.append(datagram)
        flow.close()
        done.set()

    flow = UdpFlow(host, port, receive)
    flow.send(b"question")
    _, sender = server.recvfrom(100)
    server.sendto(b"one", sender)
    server.sendto(b"two", sender)
    await asyncio.wait_for(done.wait(), 5)
    assert arrived == [b"one"]


async def test_an_unusable_destination_leaves_nothing_open() -> None:
    with pytest.raises(OSError):
        UdpFlow("255.255.255.255", 53, lambda datagram: None)  # broadcasting takes a permission
    gc.collect()  # an open socket would warn, and warnings are errors


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_port_tells_senders_apart(host: str) -> None:
    arrived: asyncio.Queue[tuple[bytes, UdpAddress]] = asyncio.Queue()
    port = UdpPort((host, 0), lambda datagram, sender: arrived.put_nowait((datagram, sender)))
    assert port.address[0] == host and port.address[1] > 0
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as one, socket.socket(family, socket.SOCK_DGRAM) as other:
        for sock, word in ((one, b"one"), (other, b"")):
            sock.settimeout(5)
            sock.bind((host, 0))
            sock.sendto(word, port.address)
            datagram, sender = await asyncio.wait_for(arrived.get(), 5)
            assert (datagram, sender) == (word, sock.getsockname())
            port.send(b"to " + word, sender)
            assert sock.recvfrom(100) == (b"to " + word, port.address)
    port.close()
    port.close()
    port.send(b"after the end", (host, 9))


async def test_what_a_port_cannot_deliver_is_dropped() -> None:
    port = UdpPort(("127.0.0.1", 0), lambda datagram, sender: None)
    port.send(bytes(70_000), port.address)
    port.send(b"x", ("255.255.255.255", 9))  # broadcasting takes a permission
    port.close()


async def test_a_port_that_is_taken_leaves_nothing_open() -> None:
    port = UdpPort(("127.0.0.1", 0), lambda datagram, sender: None)
    with pytest.raises(OSError):
        UdpPort(port.address, lambda datagram, sender: None)
    port.close()
    gc.collect()
