"""What the SOCKS proxy makes of requests, beyond what every local proxy does."""

import asyncio

import pytest
from tests.memory_network import settle

from headrace.client.local_socks import SocksConnection
from headrace.client.proxy_options import ProxyCredentials, ProxyOptions
from headrace.ssh import numbers
from headrace.ssh.forwarding import Destination, Failure
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.memory_tunnel import MemoryTunnel

pytestmark = pytest.mark.virtual_time

OPTIONS = ProxyOptions()
REFUSED5 = b"\x05%c\x00\x01" + bytes(6)


async def connect(
    data: bytes, *, pieces: int = 1 << 20, options: ProxyOptions = OPTIONS
) -> tuple[MemoryTunnel, FakeTcp]:
    """Send `data` to the proxy; return the tunnel it asked, and the connection."""
    tunnel = MemoryTunnel(answers=False)
    tcp = FakeTcp(SocksConnection(tunnel, options))
    for start in range(0, len(data), pieces):
        tcp.arrive(data[start : start + pieces])
    await settle()
    return tunnel, tcp


@pytest.mark.parametrize("pieces", [1, 1000])
@pytest.mark.parametrize(
    ("data", "destination"),
    [
        (b"\x05\x01\x00\x05\x01\x00\x01\x08\x08\x04\x04\x00\x50", Destination("8.8.4.4", 80)),
        (b"\x05\x01\x00\x05\x01\x00\x03\x05a.org\xff\xff", Destination("a.org", 65535)),
        (b"\x05\x01\x00\x05\x01\x00\x04\x20\x01" + bytes(13) + b"\x07\x00\x16", Destination("2001::7", 22)),
        (b"\x05\x02\x02\x00\x05\x01\x00\x03\x05a.org\x00\x50", Destination("a.org", 80)),
        (b"\x05\x01\x02\x01\x01u\x01p\x05\x01\x00\x03\x05a.org\x00\x50", Destination("a.org", 80)),
        (b"\x04\x01\x00\x50\x08\x08\x04\x04\x00", Destination("8.8.4.4", 80)),
        (b"\x04\x01\x00\x50\x00\x00\x00\x09me\x00a.org\x00", Destination("a.org", 80)),
    ],
    ids=["5 IPv4", "5 name", "5 IPv6", "5 methods", "5 password", "4", "4a"],
)
async def test_requests(data: bytes, destination: Destination, pieces: int) -> None:
    tunnel, tcp = await connect(data, pieces=pieces)
    assert tunnel.destinations == [destination]
    assert tcp.log == []


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b""),
        (b"\x06", b""),
        (b"\x05\x01\x01", b"\x05\xff"),
        (b"\x05\x00", b"\x05\xff"),
        (b"\x05\x01\x02\x01\x00\x01p", b"\x05\x02\x01\x01"),
        (b"\x05\x01\x00\x05\x02\x00\x01\x08\x08\x04\x04\x00\x50", b"\x05\x00" + REFUSED5 % 7),  # BIND
        (b"\x05\x01\x00\x05\x04\x00\x01\x08\x08\x04\x04\x00\x50", b"\x05\x00" + REFUSED5 % 7),
        (b"\x05\x01\x00\x05\x01\x00\x02\x00", b"\x05\x00" + REFUSED5 % 8),
        (b"\x04\x02\x00\x50\x08\x08\x04\x04\x00", b""),
    ],
)
async def test_what_is_refused_is_told_and_closed_at_once(data: bytes, answer: bytes) -> None:
    tunnel, tcp = await connect(data)
    assert tunnel.destinations == []
    assert bytes(tcp.written) == answer
    assert tcp.events == [(0.0, "close")]


async def test_what_follows_a_refusal_is_ignored() -> None:
    tunnel = MemoryTunnel(answers=False)
    connection = SocksConnection(tunnel, OPTIONS)
    tcp = FakeTcp(connection)
    tcp.arrive(b"\x05\x01\x01")
    buffer = connection.get_buffer(-1)  # a loop may have read before it heard of the end
    buffer[:4] = b"more"
    connection.buffer_updated(4)
    assert bytes(tcp.written) == b"\x05\xff"


# ---- every failure ----------------------------------------------------------------------------------------

CODES = {
    Failure.REFUSED: 5,
    Failure.UNREACHABLE: 4,
    Failure.NO_SUCH_NAME: 4,
    Failure.TIMED_OUT: 6,
    Failure.FORBIDDEN: 2,
    Failure.NO_TUNNEL: 1,
    Failure.FAILED: 1,
}
REQUESTS = {
    "5": b"\x05\x01\x00\x05\x01\x00\x03\x05a.org\x00\x50",
    "4a": b"\x04\x01\x00\x50\x00\x00\x00\x09me\x00a.org\x00",
}


@pytest.mark.parametrize("why", Failure)
@pytest.mark.parametrize("version", REQUESTS)
async def test_the_servers_refusal_is_told(version: str, why: Failure) -> None:
    tunnel, tcp = await connect(REQUESTS[version])
    tunnel.channels[0].refuse(why.reason, why.value)
    await settle()
    answer = b"\x05\x00" + REFUSED5 % CODES[why] if version == "5" else b"\0\x5b" + bytes(6)
    assert bytes(tcp.written) == answer
    assert tcp.log == ["close"]


@pytest.mark.parametrize(
    ("reason", "code"),
    [(numbers.ADMINISTRATIVELY_PROHIBITED, 5), (numbers.CONNECT_FAILED, 5), (4, 5), (99, 5)],
)
async def test_a_refusal_that_does_not_say_why_is_a_refusal(reason: int, code: int) -> None:
    tunnel, tcp = await connect(REQUESTS["5"])
    tunnel.channels[0].refuse(reason, "administratively prohibited")
    await settle()
    assert bytes(tcp.written) == b"\x05\x00" + REFUSED5 % code


async def test_no_answer_is_a_timeout() -> None:
    _, tcp = await connect(REQUESTS["5"])
    await asyncio.sleep(10.1)
    assert bytes(tcp.written) == b"\x05\x00" + REFUSED5 % 6
    assert tcp.events == [(10.0, "close")]


async def test_without_a_tunnel() -> None:
    tunnel = MemoryTunnel()
    tunnel.lose()
    for version, answer in (("5", b"\x05\x00" + REFUSED5 % 1), ("4a", b"\0\x5b" + bytes(6))):
        tcp = FakeTcp(SocksConnection(tunnel, OPTIONS))
        tcp.arrive(REQUESTS[version])
        assert bytes(tcp.written) == answer


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_a_tunnel_lost_meanwhile(request_: bytes) -> None:
    tunnel, tcp = await connect(request_)
    before = len(tcp.written)
    tunnel.lose()
    answer = b"\0\x5b" + bytes(6) if request_[0] == 4 else REFUSED5 % 1
    assert bytes(tcp.written[before:]) == answer


@pytest.mark.parametrize("pause", [0.5, 4.9])
async def test_who_takes_too_long_is_left(pause: float) -> None:
    tunnel = MemoryTunnel(answers=False)
    tcp = FakeTcp(SocksConnection(tunnel, OPTIONS))
    for byte in REQUESTS["5"][:11]:
        tcp.arrive(bytes((byte,)))
        await asyncio.sleep(pause)
        if tcp.lost:
            break
    await asyncio.sleep(5)
    assert tunnel.destinations == []
    assert tcp.events == [(5.0, "close")]


@pytest.mark.parametrize("port", [0, 80])
async def test_a_destination_that_cannot_be(port: int) -> None:
    name = b"a" * 255 if port else b"a.org"
    tunnel, tcp = await connect(
        b"\x05\x01\x00\x05\x01\x00\x03" + bytes((len(name),)) + name + bytes((0, port))
    )
    possible = Destination(name.decode(), port).possible
    assert bytes(tcp.written) == b"\x05\x00" + (b"" if possible else REFUSED5 % 4)
    assert len(tunnel.destinations) == possible


# ---- with a password --------------------------------------------------------------------------------------

LOCKED = ProxyOptions(credentials=ProxyCredentials("me", "secret"), shared=True)


async def test_who_knows_the_password_is_served() -> None:
    tunnel, tcp = await connect(
        b"\x05\x02\x00\x02\x01\x02me\x06secret\x05\x01\x00\x03\x05a.org\x00\x50", options=LOCKED
    )
    assert tunnel.destinations == [Destination("a.org", 80)]
    assert bytes(tcp.written) == b"\x05\x02\x01\x00"


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (REQUESTS["5"], b"\x05\xff"),
        (REQUESTS["4a"], b"\0\x5b" + bytes(6)),
        (b"\x05\x01\x02\x01\x02me\x06Secret" + REQUESTS["5"][3:], b"\x05\x02\x01\x01"),
        (b"\x05\x01\x02\x01\x02me\x06Secret\x05\x03\x00\x01" + bytes(6), b"\x05\x02\x01\x01"),
        (b"\x05\x01\x00\x05\x03\x00\x01" + bytes(6), b"\x05\xff"),
    ],
)
async def test_nobody_else_is(data: bytes, answer: bytes) -> None:
    tunnel, tcp = await connect(data, options=LOCKED)
    assert tunnel.destinations == []
    assert bytes(tcp.written) == answer
    assert tcp.log == ["close"]


# ---- datagrams --------------------------------------------------------------------------------------------


class Tcp(FakeTcp):
    def __init__(self, protocol: asyncio.BaseProtocol, ends: dict[str, object]) -> None:
        super().__init__(protocol)
        self._ends = ends

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._ends.get(name, default)


ASSOCIATE = b"\x05\x01\x00\x05\x03\x00\x01" + bytes(6)
ENDS: dict[str, object] = {"sockname": ("127.0.0.1", 1080), "peername": ("127.0.0.1", 40_000)}


@pytest.mark.parametrize("pieces", [1, 1000])
async def test_an_association_lasts_as_long_as_its_connection(pieces: int) -> None:
    async with MemoryTunnel() as tunnel:
        tcp = Tcp(SocksConnection(tunnel, OPTIONS), ENDS)
        for start in range(0, len(ASSOCIATE), pieces):
            tcp.arrive(ASSOCIATE[start : start + pieces])
        assert bytes(tcp.written[:10]) == b"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01"
        await asyncio.sleep(1000)
        assert tcp.log == []
        tcp.arrive(b"\x05\x01\x00\x05\x01")
        tcp.finish()
        await settle()
        assert (tcp.log, len(tcp.written)) == (["close"], 12)


@pytest.mark.parametrize(
    "ends", [{"sockname": "/run/socks", "peername": ""}, ENDS | {"sockname": ("192.0.2.1", 1080)}]
)
async def test_where_no_port_is_to_be_had(ends: dict[str, object]) -> None:
    async with MemoryTunnel() as tunnel:
        tcp = Tcp(SocksConnection(tunnel, OPTIONS), ends)
        tcp.arrive(ASSOCIATE)
        assert bytes(tcp.written) == b"\x05\x00" + REFUSED5 % 1
        assert tcp.log == ["close"]
        await settle()
