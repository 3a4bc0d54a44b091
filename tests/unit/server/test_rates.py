"""A tunnel's rates on a socket: given, changed, taken away, used up."""

import asyncio
from dataclasses import replace

import pytest

from headrace.documents.traffic_rules import DEFAULT_TRAFFIC_RULES, ClientTraits
from headrace.net.tunnel_socket import Limit
from headrace.server.rates import Rates

pytestmark = pytest.mark.virtual_time

FREE = DEFAULT_TRAFFIC_RULES.limits_for(ClientTraits(tunnel_protocol="OSSH"))
SLOW = replace(FREE, read_bytes_per_second=1000, write_bytes_per_second=500)


class Socket:
    """Notes what it is told to do."""

    def __init__(self) -> None:
        self.bytes_in = self.bytes_out = 0
        self.limits: tuple[Limit, Limit] | None = None
        self.at_once = 0
        self.over = 0
        self.rates = Rates(self, self.end)

    def limit(self, limits: tuple[Limit, Limit] | None, read_at_once: int = 0) -> None:
        self.limits, self.at_once = limits, read_at_once

    def end(self) -> None:
        self.over += 1

    def read(self, count: int) -> float:
        self.bytes_in += count
        assert self.limits is not None
        return self.limits[0](count, asyncio.get_running_loop().time())

    def written(self, count: int) -> float:
        self.bytes_out += count
        assert self.limits is not None
        return self.limits[1](count, asyncio.get_running_loop().time())


async def test_no_rates_no_limits() -> None:
    socket = Socket()
    socket.rates.change(FREE)
    assert socket.limits is None


async def test_each_direction_has_its_own() -> None:
    socket = Socket()
    socket.rates.change(SLOW)
    assert socket.at_once == 1000
    assert (socket.read(1000), socket.written(1000)) == pytest.approx((1.0, 2.0))


async def test_what_is_free_is_given_with_the_handshake_only() -> None:
    some = replace(SLOW, read_unthrottled_bytes=5000, write_unthrottled_bytes=5000)
    socket = Socket()
    socket.rates.change(some)
    assert socket.read(5000) == 0
    socket.rates.begin()
    socket.rates.change(some)
    assert socket.read(5000) == 0
    socket.rates.change(some)
    assert socket.read(1000) == pytest.approx(1.0)
    socket.rates.change(replace(some, read_unthrottled_bytes=8000))  # of which 6000 have passed
    assert socket.read(3000) == pytest.approx(1.0)


async def test_other_rates_hold_for_what_is_owed() -> None:
    socket = Socket()
    socket.rates.change(SLOW)
    assert socket.read(10_000) == pytest.approx(10.0)
    await asyncio.sleep(5)
    socket.rates.change(replace(SLOW, read_bytes_per_second=5000))
    assert socket.read(0) == pytest.approx(1.0)
    socket.rates.change(FREE)
    assert socket.limits is None
    socket.rates.change(SLOW)
    assert socket.read(0) == 0


async def test_the_end_of_an_allowance_may_be_the_end_of_the_tunnel() -> None:
    little = replace(
        SLOW, close_after_exhausted=True, read_unthrottled_bytes=1000, write_unthrottled_bytes=1000
    )
    socket = Socket()
    socket.rates.change(little)
    assert (socket.read(999), socket.written(999), socket.over) == (0, 0, 0)
    assert (socket.written(1), socket.over) == (0, 1)
    socket.written(1)
    assert socket.over == 1  # it is told once


async def test_rules_may_take_away_what_is_left() -> None:
    little = replace(
        FREE, close_after_exhausted=True, read_unthrottled_bytes=1000, write_unthrottled_bytes=1000
    )
    socket = Socket()
    socket.rates.change(little)
    socket.read(500)
    socket.rates.change(replace(little, read_unthrottled_bytes=500))
    assert socket.over == 1


async def test_what_passed_without_limits_counts_when_there_are_some() -> None:
    socket = Socket()
    socket.bytes_in = socket.bytes_out = 10_000  # before the handshake
    socket.rates.begin()
    socket.rates.change(FREE)
    socket.bytes_in += 4000
    socket.rates.change(replace(SLOW, read_unthrottled_bytes=5000, write_unthrottled_bytes=5000))
    assert socket.read(2000) == pytest.approx(1.0)
    assert socket.written(5000) == 0


async def test_nothing_is_free() -> None:
    socket = Socket()
    socket.rates.change(replace(FREE, close_after_exhausted=True))
    assert socket.over == 1
