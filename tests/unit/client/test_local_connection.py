"""A connection to a local proxy of any kind, until its port forward is open: deadlines, payload, ends."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from tests.memory_network import settle

from headrace.base.rng import SeededRng
from headrace.client import local_connection
from headrace.client.http_proxy import HttpProxy
from headrace.client.local_connection import MAX_EARLY, NEGOTIATION_TIMEOUT, OPEN_TIMEOUT, LocalConnection
from headrace.client.local_socks import SocksConnection
from headrace.client.proxy_options import ProxyOptions
from headrace.ssh import numbers
from headrace.ssh.channel import Channel
from headrace.ssh.forwarding import Destination
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.memory_tunnel import MemoryTunnel
from headrace.testing.peers import RecordingEndpoint

pytestmark = pytest.mark.virtual_time


@dataclass(frozen=True)
class Proxy:
    """One kind of proxy: what an application says to it, and what it hears."""

    kind: Callable[[MemoryTunnel, ProxyOptions], LocalConnection]
    request: bytes
    greeting: bytes  # heard before the outcome
    success: bytes
    refused: bytes
    late: bytes  # no answer in time
    failed: bytes  # no tunnel


SOCKS5 = Proxy(
    SocksConnection,
    b"\x05\x01\x00" + b"\x05\x01\x00\x03\x0bexample.org\x01\xbb",
    b"\x05\x00",
    b"\x05\x00\x00\x01" + bytes(6),
    b"\x05\x05\x00\x01" + bytes(6),
    b"\x05\x06\x00\x01" + bytes(6),
    b"\x05\x01\x00\x01" + bytes(6),
)
SOCKS4 = Proxy(
    SocksConnection,
    b"\x04\x01\x01\xbb\x00\x00\x00\x01user\x00example.org\x00",
    b"",
    b"\x00\x5a" + bytes(6),
    b"\x00\x5b" + bytes(6),
    b"\x00\x5b" + bytes(6),
    b"\x00\x5b" + bytes(6),
)
_EMPTY = b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
HTTP = Proxy(
    lambda tunnel, options: HttpProxy(tunnel, options).connection(),
    b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
    b"",
    b"HTTP/1.1 200 OK\r\n\r\n",
    _EMPTY % b"502 Bad Gateway",
    _EMPTY % b"504 Gateway Timeout",
    _EMPTY % b"503 Service Unavailable",
)
every_proxy = pytest.mark.parametrize("proxy", [SOCKS5, SOCKS4, HTTP], ids=["socks5", "socks4a", "http"])


class Rig:
    """An application's connection to a proxy over a tunnel whose far end is in the test's hands."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.tunnel = MemoryTunnel(answers=False)
        self.connection = proxy.kind(self.tunnel, ProxyOptions())
        self.tcp = FakeTcp(self.connection)

    async def ask(self, payload: bytes = b"") -> Channel:
        """Ask for a port forward; return its far end, not yet answered."""
        self.tcp.arrive(self.proxy.request + payload)
        await settle()
        (channel,) = self.tunnel.channels
        return channel

    async def accept(self, channel: Channel) -> RecordingEndpoint:
        far = RecordingEndpoint(channel=channel)
        channel.accept(far)
        await settle()
        return far

    @property
    def heard(self) -> bytes:
        """What the application heard after the greeting."""
        assert self.tcp.written.startswith(self.proxy.greeting)
        return bytes(self.tcp.written[len(self.proxy.greeting) :])


@every_proxy
async def test_names_go_to_the_server_as_they_are_and_payload_passes(proxy: Proxy) -> None:
    rig = Rig(proxy)
    channel = await rig.ask()
    assert rig.tunnel.destinations == [Destination("example.org", 443)]
    assert rig.heard == b""  # not before the outcome is known
    far = await rig.accept(channel)
    assert rig.heard == proxy.success
    rig.tcp.arrive(b"up")
    far.send(b"down")
    await settle()
    assert far.received == b"up"
    assert rig.heard == proxy.success + b"down"


@every_proxy
async def test_a_request_in_single_bytes(proxy: Proxy) -> None:
    rig = Rig(proxy)
    for byte in proxy.request:
        rig.tcp.arrive(bytes([byte]))
    await settle()
    assert rig.tunnel.destinations == [Destination("example.org", 443)]


@every_proxy
async def test_an_unfinished_request_ends_at_the_deadline_whatever_drips_in(proxy: Proxy) -> None:
    rig = Rig(proxy)
    for byte in proxy.request[:4]:
        rig.tcp.arrive(bytes([byte]))
        await asyncio.sleep(NEGOTIATION_TIMEOUT / 5)
    assert rig.tcp.log == []
    await asyncio.sleep(NEGOTIATION_TIMEOUT / 5 + 0.001)
    assert rig.tcp.log == ["close"]
    assert rig.tcp.events[0][0] == pytest.approx(NEGOTIATION_TIMEOUT)
    assert rig.tunnel.destinations == []
    assert rig.tunnel.failures == 0  # that is not the tunnel's fault


async def test_one_that_says_nothing_ends_at_the_deadline() -> None:
    rig = Rig(SOCKS5)
    await asyncio.sleep(100)
    assert rig.tcp.events == [(NEGOTIATION_TIMEOUT, "close")]
    assert rig.tcp.written == b""


@every_proxy
async def test_a_server_that_does_not_answer_is_given_up_and_counts_as_a_failure(proxy: Proxy) -> None:
    rig = Rig(proxy)
    await asyncio.sleep(3)  # the request's own deadline must not cut this one short
    await rig.ask()
    await asyncio.sleep(OPEN_TIMEOUT - 0.01)
    assert rig.tcp.log == []
    await asyncio.sleep(0.02)
    assert rig.tcp.log == ["close"]
    assert rig.tcp.events[0][0] == pytest.approx(3 + OPEN_TIMEOUT, abs=1e-3)
    assert rig.heard == proxy.late
    assert rig.tunnel.failures == 1


@every_proxy
async def test_a_port_forward_that_opens_too_late_is_closed(proxy: Proxy) -> None:
    rig = Rig(proxy)
    channel = await rig.ask()
    await asyncio.sleep(OPEN_TIMEOUT + 1)
    far = await rig.accept(channel)
    assert far.events == [("closed", None)]
    assert rig.heard == proxy.late  # and nothing after it


@every_proxy
async def test_a_refusal_is_told_in_the_proxys_own_terms(proxy: Proxy) -> None:
    rig = Rig(proxy)
    channel = await rig.ask()
    channel.refuse(numbers.CONNECT_FAILED, "")
    await settle()
    assert rig.heard == proxy.refused
    assert rig.tcp.log == ["close"]
    assert rig.tunnel.failures == 1


async def test_a_split_tunnel_refusal_says_nothing_about_the_tunnel() -> None:
    rig = Rig(SOCKS5)
    channel = await rig.ask()
    channel.refuse(numbers.SPLIT_TUNNEL, "")
    await settle()
    assert rig.heard == SOCKS5.refused
    assert rig.tunnel.failures == 0


@every_proxy
async def test_without_a_tunnel_the_answer_comes_at_once(proxy: Proxy) -> None:
    rig = Rig(proxy)
    rig.tunnel.lose()
    rig.tcp.arrive(proxy.request)
    assert rig.heard == proxy.failed
    assert rig.tcp.events == [(0.0, "close")]
    assert rig.tunnel.failures == 0


@every_proxy
async def test_a_tunnel_lost_while_opening(proxy: Proxy) -> None:
    rig = Rig(proxy)
    await rig.ask()
    rig.tunnel.lose()
    await settle()
    assert rig.heard == proxy.failed
    assert rig.tcp.log == ["close"]


@every_proxy
async def test_an_application_that_leaves_while_opening_takes_its_port_forward_along(proxy: Proxy) -> None:
    rig = Rig(proxy)
    channel = await rig.ask()
    rig.tcp.abort()
    await settle()
    far = await rig.accept(channel)
    assert far.events == [("closed", None)]
    assert rig.heard == b""


async def test_an_application_that_leaves_before_a_refusal() -> None:
    rig = Rig(SOCKS5)
    channel = await rig.ask()
    rig.tcp.abort()
    await settle()
    channel.refuse(numbers.CONNECT_FAILED, "")
    await settle()
    assert rig.heard == b""
    await asyncio.sleep(60)
    assert rig.tcp.log == ["abort"]


async def test_an_application_that_half_closes_while_asking_is_gone() -> None:
    rig = Rig(SOCKS5)
    rig.tcp.arrive(b"\x05\x01")
    rig.tcp.finish()
    assert rig.tcp.log == ["close"]


@every_proxy
@pytest.mark.parametrize("size", [1, MAX_EARLY - 1, MAX_EARLY, 2 * MAX_EARLY, 1_000_000])
async def test_early_payload_waits_without_growing_and_nothing_is_lost(proxy: Proxy, size: int) -> None:
    rig = Rig(proxy)
    payload = SeededRng(1).bytes(size)
    whole = proxy.request + payload
    taken = rig.tcp.arrive(whole)
    await settle()
    held = taken - len(proxy.request)
    assert held <= 2 * MAX_EARLY
    assert rig.tcp.reading == (taken == len(whole) and held < MAX_EARLY)
    (channel,) = rig.tunnel.channels
    far = await rig.accept(channel)
    while taken < len(whole):
        assert rig.tcp.reading, f"stuck after {len(far.received)} of {size} bytes"
        taken += rig.tcp.arrive(whole[taken:])
        await settle()
    assert far.received == payload
    assert rig.heard == proxy.success


@every_proxy
@pytest.mark.parametrize("payload", [b"", b"the whole request"], ids=["empty", "with payload"])
async def test_a_half_close_while_opening_reaches_the_far_end(proxy: Proxy, payload: bytes) -> None:
    """As `nc` does it: say everything, half-close, wait for the answer."""
    rig = Rig(proxy)
    channel = await rig.ask(payload)
    rig.tcp.finish()
    assert rig.tcp.log == []
    far = await rig.accept(channel)
    assert far.received == payload
    assert far.events == [("eof",)]
    far.send(b"the answer")
    channel.close()
    await settle()
    assert rig.heard == proxy.success + b"the answer"
    assert rig.tcp.log[-1] == "close"


async def test_no_timer_is_left_behind() -> None:
    rig = Rig(SOCKS5)
    channel = await rig.ask()
    await rig.accept(channel)
    await asyncio.sleep(1000)
    assert rig.tcp.log == []
    assert rig.tunnel.failures == 0


async def test_the_shared_buffer_never_mixes_two_applications() -> None:
    first, second = Rig(SOCKS5), Rig(SOCKS5)
    first.tcp.arrive(SOCKS5.request[:9])
    second.tcp.arrive(SOCKS5.request.replace(b"example.org", b"example.net"))
    first.tcp.arrive(SOCKS5.request[9:])
    await settle()
    assert first.tunnel.destinations == [Destination("example.org", 443)]
    assert second.tunnel.destinations == [Destination("example.net", 443)]
    assert len(local_connection._SCRATCH.view) == MAX_EARLY
