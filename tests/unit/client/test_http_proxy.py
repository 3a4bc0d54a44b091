"""The HTTP proxy to the byte: every failure's status, who may ask, deadlines, and what waits for what."""

import asyncio
from dataclasses import dataclass
from typing import cast

import pytest
from tests.http_rig import GET, OK, HttpRig, authorization
from tests.memory_network import settle

from headrace.base.errors import ConnectRefused, ConnectTimeout, NameNotFound, NetworkError, Unreachable
from headrace.client.http_forward import MAX_AHEAD
from headrace.client.http_proxy import HEAD_TIMEOUT, IDLE_TIMEOUT, LAST_LOOK
from headrace.client.proxy_options import ProxyCredentials, ProxyOptions
from headrace.client.split_tunnel import SplitTunnel
from headrace.net.streams import ByteStream, SocketStream
from headrace.ssh import numbers
from headrace.ssh.channel import MAX_WINDOW
from headrace.ssh.forwarding import Destination, Failure
from headrace.testing.fake_tcp import FakeTcp

pytestmark = pytest.mark.virtual_time

CONNECT = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"
EMPTY = b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
STATUSES = [
    (Failure.REFUSED, b"502 Bad Gateway"),
    (Failure.UNREACHABLE, b"502 Bad Gateway"),
    (Failure.NO_SUCH_NAME, b"502 Bad Gateway"),
    (Failure.TIMED_OUT, b"504 Gateway Timeout"),
    (Failure.FORBIDDEN, b"403 Forbidden"),
    (Failure.NO_TUNNEL, b"503 Service Unavailable"),
    (Failure.FAILED, b"502 Bad Gateway"),
]
#: What a server of another make says of everything, and what is no refusal of ours.
OTHERS = [(numbers.ADMINISTRATIVELY_PROHIBITED, "administratively prohibited"), (numbers.CONNECT_FAILED, "")]


@dataclass
class Split:
    """Split tunnelling that knows one way, or one reason why there is none."""

    result: NetworkError | ByteStream
    known: bool = False

    def bypasses(self, destination: Destination) -> bool:
        return self.known

    def told(self, destination: Destination) -> bool:
        self.known = True
        return True

    async def connect(self, destination: Destination, timeout: float) -> ByteStream:
        if isinstance(self.result, NetworkError):
            raise self.result
        return self.result


# ---- every failure


def test_every_failure_has_a_status() -> None:
    assert [why for why, _ in STATUSES] == list(Failure)


def check(written: bytes | bytearray, status: bytes, *, plain: bool) -> None:
    """Check an answer of the proxy's own."""
    head, _, body = bytes(written).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert head.endswith(b"Connection: close")
    assert b"Content-Length: %d\r\n" % len(body) in head
    if plain:
        assert body.startswith(b"headrace: ")
        assert body.endswith(b".\n")
        assert b"a.example" not in body
    else:
        assert body == b""


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "connect"])
@pytest.mark.parametrize(("why", "status"), STATUSES, ids=[why.name for why, _ in STATUSES])
async def test_refusals(why: Failure, status: bytes, plain: bool) -> None:
    rig = HttpRig()
    tcp = rig.application()
    tcp.arrive(GET if plain else CONNECT)
    await settle()
    rig.tunnel.channels[0].refuse(why.reason, why.value)
    await settle()
    check(tcp.written, status, plain=plain)
    assert rig.tunnel.failures == 1
    await asyncio.sleep(LAST_LOOK)
    assert tcp.lost


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "connect"])
@pytest.mark.parametrize(("reason", "text"), OTHERS)
async def test_refusals_of_servers_of_another_make(reason: int, text: str, plain: bool) -> None:
    rig = HttpRig()
    tcp = rig.application()
    tcp.arrive(GET if plain else CONNECT)
    await settle()
    rig.tunnel.channels[0].refuse(reason, text)
    await settle()
    check(tcp.written, b"502 Bad Gateway", plain=plain)


@pytest.mark.parametrize("request_", [GET, CONNECT], ids=["plain", "connect"])
async def test_no_tunnel(request_: bytes) -> None:
    rig = HttpRig()
    rig.tunnel.lose()
    tcp = rig.application()
    tcp.arrive(request_)
    check(tcp.written, b"503 Service Unavailable", plain=request_ is GET)
    assert rig.tunnel.failures == 0


@pytest.mark.parametrize("request_", [GET, CONNECT], ids=["plain", "connect"])
async def test_a_tunnel_that_is_lost_meanwhile(request_: bytes) -> None:
    rig = HttpRig()
    tcp = rig.application()
    tcp.arrive(request_)
    await settle()
    rig.tunnel.lose()
    check(tcp.written, b"503 Service Unavailable", plain=request_ is GET)


@pytest.mark.parametrize("request_", [GET, CONNECT], ids=["plain", "connect"])
async def test_a_server_that_does_not_answer(request_: bytes) -> None:
    rig = HttpRig()
    tcp = rig.application()
    tcp.arrive(request_)
    await asyncio.sleep(9.9)
    assert tcp.written == b""
    await asyncio.sleep(0.2)
    check(tcp.written, b"504 Gateway Timeout", plain=request_ is GET)
    assert rig.tunnel.failures == 1


async def test_a_port_forward_that_opens_too_late_is_closed() -> None:
    rig = HttpRig()
    tcp = rig.application()
    tcp.arrive(GET)
    await asyncio.sleep(11)
    far = await rig.origin()
    assert far.events == [("closed", None)]
    assert far.received == b""


@pytest.mark.parametrize("host", [b"a" * 256, b"a." * 200])
async def test_a_name_that_nothing_can_have(host: bytes) -> None:
    rig = HttpRig()
    tcp = rig.application()
    tcp.arrive(b"GET http://%b/ HTTP/1.1\r\n\r\n" % host)
    check(tcp.written, b"502 Bad Gateway", plain=True)
    assert rig.tunnel.destinations == []


async def test_an_origin_that_does_not_answer() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    await asyncio.sleep(14.9)
    assert tcp.written == b""
    await asyncio.sleep(0.2)
    check(tcp.written, b"504 Gateway Timeout", plain=True)
    assert rig.tunnel.failures == 0
    await settle()
    assert far.events == [("closed", None)]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"what?\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"HTTP/1.1 101 Other\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    ],
    ids=["nothing", "nonsense", "half a head", "another protocol", "a giant"],
)
async def test_an_origin_whose_answer_is_none(answer: bytes) -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    assert far.channel is not None
    if answer:
        far.send(answer)
    far.channel.close()
    await settle()
    check(tcp.written, b"502 Bad Gateway", plain=True)


async def test_the_answer_to_head_has_no_body_even_if_it_is_ours() -> None:
    rig = HttpRig()
    rig.tunnel.lose()
    tcp = rig.application()
    tcp.arrive(GET.replace(b"GET", b"HEAD"))
    check(tcp.written, b"503 Service Unavailable", plain=False)


# ---- past the tunnel


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConnectRefused("x"), b"502 Bad Gateway"),
        (Unreachable("x"), b"502 Bad Gateway"),
        (NameNotFound("x"), b"502 Bad Gateway"),
        (ConnectTimeout("x"), b"504 Gateway Timeout"),
        (NetworkError("x"), b"502 Bad Gateway"),
    ],
)
@pytest.mark.parametrize("request_", [GET, CONNECT], ids=["plain", "connect"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "told"])
async def test_failures_past_the_tunnel(
    error: NetworkError, status: bytes, request_: bytes, known: bool
) -> None:
    rig = HttpRig()
    rig.tunnel.split = cast("SplitTunnel", Split(error, known))
    tcp = rig.application()
    tcp.arrive(request_)
    await settle()
    assert len(rig.tunnel.channels) == (0 if known else 1)
    for channel in rig.tunnel.channels:
        channel.refuse(numbers.SPLIT_TUNNEL, "")
    await settle()
    check(tcp.written, status, plain=request_ is GET)
    assert rig.tunnel.failures == 0


@pytest.mark.parametrize("known", [True, False], ids=["known", "told"])
async def test_past_the_tunnel(known: bool) -> None:
    rig, stream = HttpRig(), SocketStream()
    far = FakeTcp(stream)
    rig.tunnel.split = cast("SplitTunnel", Split(stream, known))
    tcp = rig.application()
    tcp.arrive(GET)
    await settle()
    for channel in rig.tunnel.channels:
        channel.refuse(numbers.SPLIT_TUNNEL, "")
    for answered in (1, 2):  # it is kept like any other
        await settle()
        assert far.written == b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
        far.written.clear()
        far.arrive(OK)
        await settle()
        assert bytes(tcp.written) == OK * answered
        tcp.arrive(GET)
    tcp.abort()
    await settle()
    assert far.lost
    assert len(rig.tunnel.channels) == (0 if known else 1)


async def test_an_application_that_leaves_before_there_is_a_way_past_the_tunnel() -> None:
    class Slow(Split):
        async def connect(self, destination: Destination, timeout: float) -> ByteStream:
            await asyncio.sleep(5)
            return await super().connect(destination, timeout)

    rig, stream = HttpRig(), SocketStream()
    far = FakeTcp(stream)
    rig.tunnel.split = cast("SplitTunnel", Slow(stream, known=True))
    tcp = rig.application()
    tcp.arrive(GET)
    await settle()
    tcp.abort()
    await asyncio.sleep(10)
    assert far.written == b""


async def test_nobody_goes_past_the_tunnel_unless_that_was_wanted() -> None:
    rig = HttpRig()
    tcp = rig.application()
    tcp.arrive(GET)
    await settle()
    rig.tunnel.channels[0].refuse(numbers.SPLIT_TUNNEL, "")
    await settle()
    check(tcp.written, b"502 Bad Gateway", plain=True)


# ---- who may ask

OPTIONS = ProxyOptions(credentials=ProxyCredentials("ann", "secret"))


@pytest.mark.parametrize("request_", [GET, CONNECT])
@pytest.mark.parametrize(
    "line",
    [b"", authorization("ann", "wrong"), authorization("bob", "secret"), b"Proxy-Authorization: x\r\n"],
)
async def test_strangers_are_asked_who_they_are(request_: bytes, line: bytes) -> None:
    rig = HttpRig(OPTIONS)
    tcp = rig.application()
    tcp.arrive(request_.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n"))
    assert tcp.written.startswith(
        b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="
    )
    assert tcp.log == ["fin"]
    assert rig.tunnel.destinations == []


async def test_those_who_say_it_are_served_and_origins_are_not_told() -> None:
    rig = HttpRig(OPTIONS)
    known = GET.replace(b"\r\n\r\n", b"\r\n" + authorization("ann", "secret") + b"\r\n")
    tcp, far = await rig.asked(known)
    assert far.received == b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
    far.send(OK)
    await settle()
    tcp.written.clear()
    tcp.arrive(GET)  # each request has to say it
    assert tcp.written.startswith(b"HTTP/1.1 407 ")


async def test_connect_for_those_who_say_it() -> None:
    rig = HttpRig(OPTIONS)
    tcp, far = await rig.asked(
        CONNECT.replace(b"\r\n\r\n", b"\r\n" + authorization("ann", "secret") + b"\r\n")
    )
    assert tcp.written == b"HTTP/1.1 200 OK\r\n\r\n"
    tcp.arrive(b"hello")
    await settle()
    assert far.received == b"hello"


# ---- deadlines


async def test_a_head_that_drips_in_is_given_up() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    far.send(OK)
    await settle()
    tcp.written.clear()
    begun = asyncio.get_running_loop().time()
    for octet in GET[:10]:
        tcp.arrive(bytes([octet]))
        await asyncio.sleep(HEAD_TIMEOUT / 10)
    await settle()
    assert tcp.written.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    ((when, what),) = tcp.events
    assert when - begun == pytest.approx(HEAD_TIMEOUT)
    assert what == "fin"
    await asyncio.sleep(LAST_LOOK)
    assert tcp.lost


async def test_a_head_that_is_refused_is_not_waited_for() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    far.send(OK)
    await settle()
    tcp.written.clear()
    tcp.arrive(GET[:10])
    await asyncio.sleep(HEAD_TIMEOUT - LAST_LOOK / 2)
    tcp.arrive(b"\0\r\n\r\n")
    await asyncio.sleep(LAST_LOOK * 2)
    assert tcp.written.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert tcp.written.count(b"HTTP/1.1") == 1
    assert tcp.log == ["fin", "close"]


async def test_idle_connections_are_kept_for_a_while() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    far.send(OK)
    await settle()
    await asyncio.sleep(IDLE_TIMEOUT - 1)
    assert not tcp.lost
    tcp.arrive(GET)
    far = await rig.origin()
    far.send(OK)
    await settle()
    assert bytes(tcp.written) == 2 * OK
    await asyncio.sleep(IDLE_TIMEOUT + 1)
    assert tcp.lost
    assert tcp.log == ["close"]


async def test_bodies_may_take_their_time() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    for piece in (OK[:-2], b"o", b"k"):
        far.send(piece)
        await settle()
        await asyncio.sleep(10_000 if piece != b"k" else 0)
    assert bytes(tcp.written) == OK
    assert not tcp.lost


async def test_closing_the_proxy_leaves_nothing() -> None:
    rig = HttpRig()
    idle, far = await rig.asked()
    far.send(OK)
    await settle()
    slow, busy = rig.application(), rig.application()
    slow.arrive(GET)
    await settle()
    far.send(OK)
    await settle()
    slow.arrive(GET[:5])
    busy.arrive(GET)
    rig.proxy.close()
    busy.abort()  # as their owner does with all that are open
    await settle()
    assert idle.lost
    await asyncio.sleep(LAST_LOOK)
    assert slow.lost
    assert far.events == [("closed", None)]


# ---- back-pressure and order


async def test_requests_ahead_of_their_turn_wait_and_are_bounded() -> None:
    rig = HttpRig()
    many = MAX_AHEAD // len(GET) * 4
    tcp, far = await rig.asked(GET)
    sent = tcp.arrive(GET * many)
    assert MAX_AHEAD <= sent < 2 * MAX_AHEAD + 1
    assert not tcp.reading
    assert far.received.count(b"GET") == 1
    answered = 0
    rest = (GET * many)[sent:]
    while answered <= many:
        far.send(OK)
        await settle()
        answered += 1
        assert bytes(tcp.written) == OK * answered
        assert far.received.count(b"GET") == min(answered, many) + 1
        rest = rest[tcp.arrive(rest) :]
    assert len(rig.tunnel.destinations) == 1


async def test_an_application_that_does_not_read_stops_its_origin() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    tcp.stuck = True
    assert far.channel is not None
    far.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n")
    sent = 0
    while far.channel.room:
        piece = bytes(min(far.channel.room, 30_000))
        far.send(piece)
        sent += len(piece)
        await settle()
    assert sent < 1_000_000
    tcp.drain()
    await settle()
    assert far.channel.room


async def test_an_origin_is_not_stopped_for_the_application_before() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    assert far.channel is not None
    tcp.stuck = True
    far.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n")
    for _ in range(20):
        far.send(bytes(10_000))
        await settle()
    other = rig.application()
    other.arrive(GET)
    await settle()
    far.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    for _ in range(100):
        far.send(bytes(10_000))
        await settle()
    assert len(other.written) > 1_000_000
    assert len(rig.tunnel.destinations) == 1


async def test_connect_waits_for_an_application_that_does_not_read() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked(GET + CONNECT)
    tcp.stuck = True
    far.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n")
    for _ in range(20):
        far.send(bytes(10_000))
        await settle()
    tcp.finish()
    assert len(rig.tunnel.destinations) == 1
    tcp.drain()
    far = await rig.origin()
    assert far.events == [("eof",)]
    assert rig.tunnel.destinations[1].port == 443
    tcp.stuck = True
    assert far.channel is not None
    while tcp.buffered <= MAX_WINDOW and (room := far.channel.room):
        far.send(bytes(min(room, 30_000)))
        await settle()
    assert tcp.buffered <= MAX_WINDOW


async def test_connect_may_wait_behind_requests_with_much_payload() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    payload = bytes(MAX_AHEAD - len(CONNECT))
    assert tcp.arrive(CONNECT + payload) == MAX_AHEAD
    assert not tcp.reading
    far.send(OK)
    await settle()
    far = await rig.origin()
    assert far.received == payload
    assert tcp.reading


async def test_an_origin_that_does_not_read_stops_the_application() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked(b"POST http://a.example/ HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n")
    assert far.channel is not None
    far.channel.hold()
    sent = tcp.arrive(bytes(9_999_999))
    assert sent < 1_000_000
    await settle()
    far.channel.release()
    await settle()
    assert tcp.reading
    while sent < 9_999_999:
        sent += tcp.arrive(bytes(9_999_999 - sent))
        await settle()
    assert len(far.received) == 9_999_999 + len(
        b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9999999\r\n\r\n"
    )


async def test_past_the_tunnel_an_origin_that_speaks_unasked_is_not_believed() -> None:
    """Not either if the application was behind when it did, so that the origin was not listened to."""
    rig, stream = HttpRig(), SocketStream()
    far = FakeTcp(stream)
    rig.tunnel.split = cast("SplitTunnel", Split(stream, known=True))
    tcp = rig.application()
    tcp.arrive(GET)
    await settle()
    tcp.stuck = True
    body = bytes(1 << 20)
    far.arrive(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await settle()
    far.arrive(OK.replace(b"ok", b"no"))
    await settle()
    tcp.drain()
    await settle()
    assert tcp.written.endswith(body)
    assert far.lost


async def test_an_application_that_half_closed_behind_connect_has_said_everything() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked(GET + CONNECT + b"all")
    tcp.finish()
    far.send(OK)
    far = await rig.origin()
    assert far.received == b"all"
    assert far.events == [("eof",)]


async def test_head_and_the_beginning_of_a_body_go_out_together() -> None:
    rig = HttpRig()
    tcp = rig.application()
    tcp.arrive(b"POST http://a.example/ HTTP/1.1\r\nContent-Length: 4\r\n\r\nab")
    tcp.arrive(b"c")
    far = await rig.origin()
    assert far.received.endswith(b"\r\n\r\nabc")
    tcp.arrive(b"d" + GET)
    await settle()
    assert far.received.endswith(b"\r\n\r\nabcd")
    assert far.received.count(b"HTTP") == 1


async def test_an_empty_line_may_lead_a_request() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked(b"\r\n" + GET)
    assert far.received.startswith(b"GET / HTTP/1.1\r\n")
    far.send(OK)
    tcp.arrive(b"\r\n" + GET)
    await settle()
    far.send(OK)
    await settle()
    assert bytes(tcp.written) == 2 * OK
