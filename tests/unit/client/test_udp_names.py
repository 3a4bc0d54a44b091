"""Names looked up over udpgw."""

import asyncio
from collections.abc import Callable, Sequence

import dns.message
import dns.rcode
import dns.rrset
import pytest
from tests.unit.client.udpgw_server import ScriptedServer

from headrace.base.errors import NameNotFound, NetworkError
from headrace.base.rng import SeededRng
from headrace.client.udp_names import MAX_ANSWER, UdpNames
from headrace.client.udpgw_client import UdpgwClient
from headrace.codec.udpgw import Frame

pytestmark = pytest.mark.virtual_time

Answer = Callable[[dns.message.Message], bytes | None]


def answering(
    *records: tuple[str, str, int, Sequence[str]], rcode: dns.rcode.Rcode = dns.rcode.NOERROR
) -> Answer:
    """Answer with these records, which are owner, kind, lifetime and values; of addresses those asked for."""

    def answer(question: dns.message.Message) -> bytes:
        response = dns.message.make_response(question)
        response.set_rcode(rcode)
        wanted = dns.rdatatype.to_text(question.question[0].rdtype)
        for owner, kind, ttl, values in records:
            if kind in ("CNAME", wanted):
                response.answer.append(dns.rrset.from_text(owner, ttl, "IN", kind, *values))
        return response.to_wire()

    return answer


async def ask(answer: Answer, name: str = "a.test") -> tuple[list[tuple[str, int]], ScriptedServer]:
    """Return what is found, and the server that was asked."""

    def reply(frame: Frame) -> Frame | None:
        assert frame.dns and frame.port == 53
        wire = answer(dns.message.from_wire(frame.datagram))
        return None if wire is None else Frame(frame.connection_id, frame.address, frame.port, wire)

    server = ScriptedServer(answer=reply)
    server.tunnel()
    client = UdpgwClient(server.open_forward, asyncio.get_running_loop())
    try:
        found = list(await UdpNames(client, SeededRng(1)).query(name))
    finally:
        assert client.flows == 0
        client.close()
    return found, server


async def test_addresses_and_how_long_they_may_be_kept() -> None:
    found, server = await ask(answering(("a.test.", "A", 7, ["192.0.2.1", "192.0.2.2"])))
    assert sorted(found) == [("192.0.2.1", 7), ("192.0.2.2", 7)]
    assert len(server.frames) == 1


async def test_aliases_are_followed_and_the_shortest_time_counts() -> None:
    chain = answering(("a.test.", "CNAME", 3, ["b.test."]), ("b.test.", "A", 60, ["192.0.2.1"]))
    assert (await ask(chain))[0] == [("192.0.2.1", 3)]


async def test_ipv6_where_there_is_nothing_else() -> None:
    found, server = await ask(answering(("a.test.", "AAAA", 7, ["2001:db8::1"])))
    assert found == [("2001:db8::1", 7)]
    assert len(server.frames) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (answering(), NameNotFound),
        (answering(rcode=dns.rcode.NXDOMAIN), NameNotFound),
        (answering(rcode=dns.rcode.SERVFAIL), NetworkError),
        (answering(("a.test.", "CNAME", 3, ["a.test."])), NetworkError),  # round and round
    ],
    ids=["no address", "no such name", "failure", "loop"],
)
async def test_no_address(answer: Answer, error: type[NetworkError]) -> None:
    with pytest.raises(error):
        await ask(answer)


async def test_a_lost_question_is_asked_again() -> None:
    right = answering(("a.test.", "A", 7, ["192.0.2.1"]))
    times: list[float] = []

    def second(question: dns.message.Message) -> bytes | None:
        times.append(asyncio.get_running_loop().time())
        return right(question) if len(times) > 1 else None

    found, server = await ask(second)
    assert found == [("192.0.2.1", 7)]
    assert times == pytest.approx([0, 1.2], abs=0.01)
    assert server.frames[0].datagram == server.frames[1].datagram


async def test_nobody_answers() -> None:
    with pytest.raises(NetworkError, match="did not answer"):
        await ask(lambda question: None)
    assert asyncio.get_running_loop().time() == pytest.approx(3.6, abs=0.01)


def another_number(wire: bytes) -> bytes:
    return bytes((wire[0] ^ 1,)) + wire[1:]


def another_name(wire: bytes) -> bytes:
    return wire.replace(b"\x01a\x04test", b"\x01b\x04test")


def not_an_answer(wire: bytes) -> bytes:
    return wire[:2] + bytes((wire[2] & 0x7F,)) + wire[3:]


@pytest.mark.parametrize(
    "spoil",
    [
        another_number,
        another_name,
        not_an_answer,
        lambda wire: wire[:20],
        lambda wire: wire[:2],
        lambda wire: b"",
        lambda wire: wire + bytes(MAX_ANSWER),
        lambda wire: wire[:12] + b"\xc0\x0c" + wire[12:],
    ],
)
async def test_what_is_no_answer_is_not_taken_for_one(spoil: Callable[[bytes], bytes]) -> None:
    right = answering(("a.test.", "A", 7, ["192.0.2.1"]))
    with pytest.raises(NetworkError):
        await ask(lambda question: spoil(right(question) or b""))


async def test_many_at_once_share_a_flow_and_are_told_apart() -> None:
    server = ScriptedServer()
    server.tunnel()
    client = UdpgwClient(server.open_forward, asyncio.get_running_loop())
    names = UdpNames(client, SeededRng(1))
    tasks = [asyncio.create_task(names.query(f"{letter}.test")) for letter in "abc"]
    await asyncio.sleep(0.1)
    assert client.flows == 1
    for frame in reversed(server.frames):
        question = dns.message.from_wire(frame.datagram)
        name = question.question[0].name.to_text()
        wire = answering((name, "A", 5, [f"192.0.2.{ord(name[0])}"]))(question)
        assert wire is not None
        server.send(Frame(frame.connection_id, frame.address, frame.port, wire))
    found = await asyncio.gather(*tasks)
    assert found == [[(f"192.0.2.{ord(letter)}", 5)] for letter in "abc"]
    assert client.flows == 0
    client.close()
