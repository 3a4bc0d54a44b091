"""UDP associations, with real sockets on the application's side and a tunnel in memory."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import dns.message
import dns.rrset
import pytest
from tests.datagrams import udp_head
from tests.memory_network import settle
from tests.unit.client.udpgw_server import ScriptedServer

from headrace.base.clock import SystemClock
from headrace.client.udp import Udp
from headrace.client.udp_association import MAX_HELD, MAX_NAMES, MAX_WAITING, MEMORY, UdpAssociation
from headrace.codec.udpgw import Frame
from headrace.testing.fake_tcp import FakeTcp

pytestmark = pytest.mark.virtual_time

V4 = bytes([8, 8, 4, 4])


class Tcp(FakeTcp):
    """The connection that an association belongs to."""

    def __init__(self, protocol: asyncio.BaseProtocol, local: object, peer: object) -> None:
        super().__init__(protocol)
        self._ends = {"sockname": local, "peername": peer}

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._ends.get(name, default)


class LoopClock(SystemClock):
    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Bench:
    def __init__(self, host: str = "127.0.0.1") -> None:
        self.names: dict[str, str] = {}
        self.questions: list[str] = []
        self.server = ScriptedServer(answer=self._answer)
        self.server.tunnel()
        loop = asyncio.get_running_loop()
        self.udp = Udp(self.server.open_forward, loop, clock=LoopClock())
        self.host = host
        self.sockets = contextlib.ExitStack()

    def associate(self, announced: int = 0, *, peer: str = "") -> UdpAssociation:
        tcp = Tcp(asyncio.Protocol(), (self.host, 1080), (peer or self.host, 40_000))
        association = UdpAssociation(self.udp, tcp, announced)
        tcp.set_protocol(association)
        self.tcp = tcp
        return association

    def program(self, host: str = "") -> socket.socket:
        """Return a socket that an application would use."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        sock = self.sockets.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        sock.bind((host or self.host, 0))
        sock.settimeout(5)
        return sock

    def sent(self) -> list[tuple[bytes, int, bytes]]:
        """What has gone up since this was last asked, DNS of ours apart."""
        frames, self.server.frames = self.server.frames, []
        return [(frame.address, frame.port, frame.datagram) for frame in frames if not self._ours(frame)]

    def _ours(self, frame: Frame) -> bool:
        return frame.address == bytes([10, 0, 0, 53])

    def _answer(self, frame: Frame) -> Frame | None:
        if not self._ours(frame):
            return None
        question = dns.message.from_wire(frame.datagram)
        name = question.question[0].name.to_text(omit_final_dot=True)
        self.questions.append(name)
        if name not in self.names:
            return None
        answer = dns.message.make_response(question)
        answer.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "A", self.names[name]))
        return Frame(frame.connection_id, frame.address, frame.port, answer.to_wire())


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    bench.sockets.close()
    if hasattr(bench, "tcp"):
        bench.tcp.abort()
    await settle()
    await bench.udp.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_there_and_back(host: str) -> None:
    bench = Bench(host)
    association = bench.associate()
    program = bench.program()
    program.sendto(udp_head("8.8.4.4", 443) + b"out", association.address)
    await settle()
    assert bench.sent() == [(V4, 443, b"out")]
    bench.server.send(Frame(0, V4, 443, b"in"), Frame(0, V4, 443, b""))
    await settle()
    assert program.recvfrom(100) == (udp_head("8.8.4.4", 443) + b"in", association.address)
    assert program.recv(100) == udp_head("8.8.4.4", 443)
    bench.tcp.finish()
    await settle()
    assert bench.tcp.lost and bench.udp.gateway.flows == 0
    program.close()
    await bench.udp.close()


async def test_the_end_of_the_connection_is_the_end_of_the_port(bench: Bench) -> None:
    address = bench.associate().address
    bench.tcp.arrive(b"whatever is said here means nothing")
    assert not bench.tcp.lost
    bench.tcp.abort()
    await settle()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(address)  # nobody has it any more


async def test_others_may_not_use_the_port(bench: Bench) -> None:
    association = bench.associate(peer="127.0.0.1")
    stranger, program, other = bench.program("127.0.0.2"), bench.program(), bench.program()
    stranger.sendto(udp_head("8.8.4.4", 1) + b"x", association.address)
    program.sendto(udp_head("8.8.4.4", 2) + b"x", association.address)
    await settle()
    other.sendto(udp_head("8.8.4.4", 3) + b"x", association.address)
    stranger.sendto(udp_head("8.8.4.4", 4) + b"x", association.address)
    await settle()
    assert bench.sent() == [(V4, 2, b"x")]
    bench.server.send(Frame(0, V4, 2, b"y"))
    await settle()
    assert program.recv(100).endswith(b"y")
    for sock in (stranger, other):
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(100)


async def test_a_port_that_was_announced_is_the_only_one(bench: Bench) -> None:
    program, other = bench.program(), bench.program()
    association = bench.associate(program.getsockname()[1])
    other.sendto(udp_head("8.8.4.4", 1) + b"x", association.address)
    program.sendto(udp_head("8.8.4.4", 2) + b"x", association.address)
    await settle()
    assert bench.sent() == [(V4, 2, b"x")]


async def test_garbage_does_not_claim_the_port(bench: Bench) -> None:
    association = bench.associate()
    program, other = bench.program(), bench.program()
    for garbage in (b"", b"x", b"\0\0\1" + udp_head("8.8.4.4", 1)[3:] + b"fragment", udp_head("8.8.4.4", 0)):
        other.sendto(garbage, association.address)
    await settle()
    program.sendto(udp_head("8.8.4.4", 2) + b"x", association.address)
    await settle()
    assert bench.sent() == [(V4, 2, b"x")]


@pytest.mark.parametrize(
    ("host", "port", "dns"),
    [
        ("8.8.4.4", 53, False),
        ("192.168.1.1", 53, True),
        ("10.0.0.1", 53, True),
        ("127.0.0.53", 53, True),
        ("169.254.1.1", 53, True),
        ("100.64.0.1", 53, True),
        ("fd00::1", 53, True),
        ("fe80::1", 53, True),
        ("::1", 53, True),
        ("2001:4860:4860::8888", 53, False),
        ("192.168.1.1", 5353, False),
    ],
)
async def test_a_name_server_that_no_server_could_reach_stands_for_the_servers_own(
    bench: Bench, host: str, port: int, dns: bool
) -> None:
    association = bench.associate()
    bench.program().sendto(udp_head(host, port) + b"question", association.address)
    await settle()
    (frame,) = bench.server.frames
    assert (frame.host, frame.port, frame.dns) == (host, port, dns)


async def test_an_address_may_be_written_as_a_name(bench: Bench) -> None:
    association = bench.associate()
    head = b"\0\0\0\3\x078.8.4.4\1\xbb"
    bench.program().sendto(head + b"x", association.address)
    await settle()
    assert bench.sent() == [(V4, 443, b"x")]
    assert bench.questions == []


async def test_a_name_is_one_address_as_long_as_it_is_used(bench: Bench) -> None:
    association, program = bench.associate(), bench.program()
    bench.names["a.test"] = "8.8.4.4"

    async def send() -> list[tuple[bytes, int, bytes]]:
        program.sendto(udp_head("a.test", 443) + b"x", association.address)
        await settle()
        return bench.sent()

    assert await send() == [(V4, 443, b"x")]
    bench.names["a.test"] = "8.8.8.8"
    for _ in range(5):
        await asyncio.sleep(MEMORY - 1)
        assert await send() == [(V4, 443, b"x")]
    await asyncio.sleep(MEMORY + 1)
    assert await send() == [(bytes([8, 8, 8, 8]), 443, b"x")]
    assert bench.questions == ["a.test"] * 2


async def test_datagrams_wait_for_their_name_within_bounds(bench: Bench) -> None:
    association, program = bench.associate(), bench.program()
    for number in range(MAX_WAITING + 2):
        program.sendto(udp_head("a.test", 443) + b"%d" % number, association.address)
    program.sendto(udp_head("b.test", 443) + bytes(MAX_HELD // 2), association.address)
    program.sendto(udp_head("b.test", 443) + bytes(MAX_HELD // 2), association.address)
    await settle()
    assert bench.sent() == []
    bench.names |= {"a.test": "8.8.4.4", "b.test": "8.8.4.4"}
    await asyncio.sleep(2)  # the questions are asked again
    sizes = [len(data) for _, _, data in bench.sent()]
    assert sizes == [1] * MAX_WAITING + [MAX_HELD // 2]
    program.sendto(udp_head("c.test", 443) + bytes(MAX_HELD // 2), association.address)
    bench.names["c.test"] = "8.8.4.4"
    await asyncio.sleep(2)
    assert len(bench.sent()) == 1  # what has left is held no more


async def test_a_name_that_is_not_found_may_be_tried_again(bench: Bench) -> None:
    association, program = bench.associate(), bench.program()
    program.sendto(udp_head("a.test", 443) + b"one", association.address)
    await asyncio.sleep(6)
    bench.names["a.test"] = "8.8.4.4"
    program.sendto(udp_head("a.test", 443) + b"two", association.address)
    await settle()
    assert bench.sent() == [(V4, 443, b"two")]


async def test_names_are_bounded(bench: Bench) -> None:
    association, program = bench.associate(), bench.program()
    for number in range(MAX_NAMES + 10):
        program.sendto(udp_head(f"{number}.test", 443) + b"x", association.address)
        await settle()
    bench.names |= {
        f"{number}.test": f"8.8.{number // 256}.{number % 256}" for number in range(MAX_NAMES + 10)
    }
    await asyncio.sleep(2)
    assert len(bench.sent()) == MAX_NAMES


async def test_the_end_leaves_no_search_behind(bench: Bench) -> None:
    association = bench.associate()
    bench.program().sendto(udp_head("a.test", 443) + b"x", association.address)
    await settle()
    bench.tcp.abort()
    await settle()
    await bench.udp.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(("local", "peer"), [("/run/proxy", ""), (None, None), (("127.0.0.1", 1), "")])
async def test_a_connection_without_addresses_has_no_port(local: object, peer: object) -> None:
    bench = Bench()
    with pytest.raises(OSError):
        UdpAssociation(bench.udp, Tcp(asyncio.Protocol(), local, peer), 0)
    await bench.udp.close()
