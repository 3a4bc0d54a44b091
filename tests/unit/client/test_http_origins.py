"""Connections to origins that are kept: for whom, how many, how long."""

import asyncio

import pytest
from tests.http_rig import GET, OK, HttpRig
from tests.memory_network import settle

from headrace.client import http_origins
from headrace.client.http_origin import MAX_INTERIM
from headrace.client.http_origins import KEPT_FOR, MAX_KEPT_EACH
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.peers import RecordingEndpoint

pytestmark = pytest.mark.virtual_time


def get(host: str) -> bytes:
    return GET.replace(b"a.example", host.encode())


async def answered(rig: HttpRig, data: bytes = GET) -> tuple[FakeTcp, RecordingEndpoint]:
    """Make a request on a connection and to an origin of its own, and have it answered."""
    tcp, far = await rig.asked(data)
    far.send(OK)
    await settle()
    assert tcp.written.endswith(OK)
    return tcp, far


async def test_every_application_may_have_a_connection_that_was_kept() -> None:
    rig = HttpRig()
    await answered(rig)
    tcp = rig.application()
    tcp.arrive(GET)
    await settle()
    assert len(rig.tunnel.destinations) == 1


@pytest.mark.parametrize("other", [get("b.example"), GET.replace(b"a.example/", b"a.example:81/")])
async def test_only_for_the_same_origin(other: bytes) -> None:
    rig = HttpRig()
    tcp, _ = await answered(rig)
    tcp.arrive(other)
    await settle()
    assert len(rig.tunnel.destinations) == 2


async def test_the_one_used_last_is_used_first() -> None:
    rig = HttpRig()
    (one, far_one), (other, far_other) = await rig.asked(), await rig.asked()
    for far in (far_other, far_one):
        far.send(OK)
        await settle()
    far_one.received.clear()
    other.arrive(GET)
    await settle()
    assert far_one.received
    assert bytes(one.written) == OK


async def test_requests_that_may_not_be_made_twice_have_a_fresh_one() -> None:
    rig = HttpRig()
    tcp, _ = await answered(rig)
    tcp.arrive(b"POST http://a.example/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
    await settle()
    assert len(rig.tunnel.destinations) == 2


async def test_they_are_kept_for_a_while() -> None:
    rig = HttpRig()
    tcp, far = await answered(rig)
    await asyncio.sleep(KEPT_FOR - 1)
    assert far.events == []
    tcp.arrive(GET)
    await settle()
    far.send(OK)
    await asyncio.sleep(KEPT_FOR + 1)
    assert far.events == [("closed", None)]
    tcp.arrive(GET)
    await settle()
    assert len(rig.tunnel.destinations) == 2


async def test_so_many_for_one_origin() -> None:
    rig = HttpRig()
    busy = [await rig.asked() for _ in range(MAX_KEPT_EACH + 2)]
    for _, far in busy:
        far.send(OK)
        await settle()
    closed = [bool(far.events) for _, far in busy]
    assert closed == [True, True] + [False] * MAX_KEPT_EACH


async def test_so_many_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_origins, "MAX_KEPT", 3)
    rig = HttpRig()
    fars = [(await answered(rig, get(f"{name}.example")))[1] for name in "abcde"]
    await settle()
    assert [bool(far.events) for far in fars] == [True, True, False, False, False]


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"),
        OK.replace(b"1.1", b"1.0"),
        OK + b"and more",
    ],
    ids=["close", "old", "too much"],
)
async def test_what_is_not_good_for_another_request_is_not_kept(answer: bytes) -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    far.send(answer)
    await settle()
    assert bytes(tcp.written) == OK
    assert far.events == [("closed", None)]
    assert not tcp.lost


async def test_one_that_speaks_unasked_is_not_believed() -> None:
    rig = HttpRig()
    tcp, far = await answered(rig)
    far.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nlie")
    await settle()
    assert far.events == [("closed", None)]
    tcp.arrive(GET)
    await settle()
    assert len(rig.tunnel.destinations) == 2
    assert bytes(tcp.written) == OK


@pytest.mark.parametrize("end", ["close", "eof"])
async def test_one_that_ends_is_forgotten(end: str) -> None:
    rig = HttpRig()
    tcp, far = await answered(rig)
    assert far.channel is not None
    getattr(far.channel, end)()
    await settle()
    tcp.arrive(GET)
    await settle()
    assert len(rig.tunnel.destinations) == 2


async def test_a_request_that_met_a_dying_connection_is_made_again() -> None:
    rig = HttpRig()
    tcp, far = await answered(rig)
    assert far.channel is not None
    tcp.arrive(GET)
    await settle()
    far.channel.close()  # without a word: it had not heard of the request
    await settle()
    fresh = await rig.origin()
    assert fresh.received.startswith(b"GET / HTTP/1.1\r\n")
    fresh.send(OK)
    await settle()
    assert bytes(tcp.written) == 2 * OK


@pytest.mark.parametrize("word", [b"H", b"HTTP/1.1 103 Hints\r\n\r\n"])
async def test_but_not_if_it_had_begun_to_answer(word: bytes) -> None:
    rig = HttpRig()
    tcp, far = await answered(rig)
    assert far.channel is not None
    tcp.arrive(GET)
    await settle()
    far.send(word)
    far.channel.close()
    await settle()
    assert b"HTTP/1.1 502 " in tcp.written
    assert len(rig.tunnel.destinations) == 1


async def test_nor_twice() -> None:
    rig = HttpRig()
    tcp, far = await answered(rig)
    assert far.channel is not None
    tcp.arrive(GET)
    await settle()
    far.channel.close()
    await settle()
    fresh = await rig.origin()
    assert fresh.channel is not None
    fresh.channel.close()
    await settle()
    assert b"HTTP/1.1 502 " in tcp.written


async def test_one_that_only_ever_announces_its_answer_is_given_up() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    processing = b"HTTP/1.1 102 Processing\r\n\r\n"
    far.send(processing * 1000)
    await settle()
    assert tcp.written.count(processing) == MAX_INTERIM
    assert b"HTTP/1.1 502 Bad Gateway\r\n" in tcp.written
    assert far.events == [("closed", None)]


async def test_an_application_that_leaves_takes_its_request_along() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    tcp.abort()
    await settle()
    assert far.events == [("closed", None)]


async def test_slow_networks_have_more_time() -> None:
    rig = HttpRig()
    origins = http_origins.HttpOrigins(rig.tunnel, latency=2.0)
    rig.proxy.origins = origins
    tcp, _ = await rig.asked()
    await asyncio.sleep(29)
    assert tcp.written == b""
    await asyncio.sleep(2)
    assert tcp.written.startswith(b"HTTP/1.1 504 ")
