"""The pool of open relays: who counts, who is idle, who has to go."""

import asyncio

import pytest

from headrace.net.relay import Relay
from headrace.net.relay_pool import RelayPool
from headrace.testing.fake_tcp import FakeTcp

pytestmark = pytest.mark.virtual_time


def opened(pool: RelayPool, count: int) -> tuple[list[Relay], list[FakeTcp]]:
    """Return relays that are counted as open, and their sockets."""
    relays = [pool.make() for _ in range(count)]
    sockets = [FakeTcp(relay) for relay in relays]
    for relay in relays:
        pool.add(relay)
    pool.sweep(0)  # from now on none is busy
    return relays, sockets


async def test_a_relay_counts_from_when_it_is_added_until_its_socket_is_gone() -> None:
    pool = RelayPool()
    relay = pool.make()
    tcp = FakeTcp(relay)
    assert len(pool) == 0
    pool.add(relay)
    assert len(pool) == 1
    tcp.abort()
    await asyncio.sleep(0)
    assert len(pool) == 0


async def test_its_owner_is_told_of_every_end() -> None:
    ended: list[Relay] = []
    pool = RelayPool(ended=ended.append)
    relays, sockets = opened(pool, 3)
    sockets[1].abort()
    await asyncio.sleep(0)
    assert ended == [relays[1]]
    pool.abort()
    await asyncio.sleep(0)
    assert ended == [relays[1], relays[0], relays[2]]


async def test_without_a_limit_nobody_is_idle_for_too_long() -> None:
    pool = RelayPool()
    _, sockets = opened(pool, 3)
    for _ in range(1000):
        pool.sweep(5)
    assert [tcp.log for tcp in sockets] == [[]] * 3


@pytest.mark.parametrize("elapsed", [1.0, 5.0, 30.0])
async def test_the_idle_are_closed_at_the_limit(elapsed: float) -> None:
    pool = RelayPool(idle_limit=30)
    _, (tcp,) = opened(pool, 1)
    waited = 0.0
    while tcp.log == []:
        pool.sweep(elapsed)
        waited += elapsed
    assert waited == 30
    assert tcp.log == ["close"]
    assert len(pool) == 0


async def test_a_byte_starts_the_wait_anew() -> None:
    pool = RelayPool(idle_limit=10)
    (relay,), (tcp,) = opened(pool, 1)
    for _ in range(10):
        pool.sweep(9)
        relay.data(memoryview(b"x"))
        pool.sweep(9)  # was busy: not idle at all
        assert tcp.log == []
    pool.sweep(10)
    assert tcp.log == ["close"]


async def test_a_changed_limit_holds_from_the_next_look_on() -> None:
    pool = RelayPool()
    _, (tcp,) = opened(pool, 1)
    pool.sweep(100)
    pool.idle_limit = 50
    pool.sweep(1)
    assert tcp.log == ["close"]


async def test_who_is_finished_on_the_far_side_has_one_quiet_look_left() -> None:
    pool = RelayPool()
    (relay,), (tcp,) = opened(pool, 1)
    relay.eof()
    assert relay.half_closed
    pool.sweep(5)  # the end itself was something
    assert tcp.log == ["fin"]
    pool.sweep(5)
    assert tcp.log == ["fin", "close"]


async def test_room_is_made_at_the_limit_and_not_before() -> None:
    pool = RelayPool()
    _, sockets = opened(pool, 3)
    pool.make_room(0)
    pool.make_room(4)
    assert [tcp.log for tcp in sockets] == [[]] * 3
    pool.make_room(3)
    assert sorted(tcp.log for tcp in sockets) == [[], [], ["close"]]
    assert len(pool) == 2


async def test_the_one_idle_longest_goes_first_then_the_eldest() -> None:
    pool = RelayPool()
    relays, sockets = opened(pool, 4)
    pool.sweep(5)
    relays[0].busy = relays[2].busy = True
    pool.sweep(5)  # 0 and 2 have been quiet for no time, 1 and 3 for ten seconds
    order = []
    for _ in range(4):
        pool.make_room(len(pool))
        order.append(next(n for n, tcp in enumerate(sockets) if tcp.log == ["close"] and n not in order))
    assert order == [1, 3, 0, 2]


async def test_where_fewer_are_allowed_than_before_many_go() -> None:
    pool = RelayPool()
    _, sockets = opened(pool, 5)
    pool.make_room(2)
    assert [tcp.log for tcp in sockets] == [["close"]] * 4 + [[]]


async def test_the_busy_go_last() -> None:
    pool = RelayPool()
    relays, sockets = opened(pool, 2)
    pool.sweep(100)
    relays[0].busy = True
    pool.make_room(2)
    assert [tcp.log for tcp in sockets] == [[], ["close"]]


async def test_those_that_only_close_hold_no_more_sockets_than_those_that_are_open_may() -> None:
    """Else a client could get past its limit: its destinations read a byte now and then, and it closes."""
    pool = RelayPool(idle_limit=30)
    relays, sockets = opened(pool, 6)
    for relay, tcp in zip(relays[:5], sockets, strict=False):
        tcp.stuck = True
        tcp.write(bytes(1000))
        relay.close()
    pool.sweep(5)
    sockets[0].buffered -= 1
    pool.sweep(5)
    pool.make_room(3)
    assert [tcp.log[-1:] for tcp in sockets] == [["close"], ["abort"], ["abort"], ["close"], ["close"], []]
    await asyncio.sleep(0)


async def test_an_empty_pool_has_room() -> None:
    RelayPool().make_room(1)


async def test_an_aborted_pool_drops_everybody_even_who_is_closing_already() -> None:
    pool = RelayPool(idle_limit=1)
    relays, sockets = opened(pool, 2)
    sockets[0].stuck = True
    sockets[0].write(bytes(1000))
    relays[0].close()
    pool.abort()
    assert len(pool) == 0
    assert [tcp.log[-1] for tcp in sockets] == ["abort", "abort"]
    await asyncio.sleep(0)


async def test_a_closing_socket_that_takes_nothing_is_dropped_and_one_that_does_is_not() -> None:
    """Else a client could park data for ever: upload to a destination that never reads, and close."""
    pool = RelayPool(idle_limit=30)
    relays, sockets = opened(pool, 2)
    for relay, tcp in zip(relays, sockets, strict=True):
        tcp.stuck = True
        tcp.write(bytes(1000))
        relay.close()
    pool.sweep(5)
    for _ in range(10):
        sockets[1].buffered -= 10
        pool.sweep(5)
    assert [tcp.log[-1] for tcp in sockets] == ["abort", "close"]
