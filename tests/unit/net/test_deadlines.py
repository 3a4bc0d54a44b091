"""One timer for the deadlines of many."""

import asyncio

import pytest

from headrace.net.deadlines import Deadlines

pytestmark = pytest.mark.virtual_time


class Rig:
    def __init__(self, seconds: float = 10.0) -> None:
        self.loop = asyncio.get_running_loop()
        self.expired: list[tuple[float, str]] = []
        self.deadlines = Deadlines(self.loop, seconds, self.expire)

    def expire(self, thing: str) -> None:
        assert thing not in self.deadlines
        self.expired.append((self.loop.time(), thing))


async def test_each_has_its_own_time() -> None:
    rig = Rig()
    for thing in "abcd":
        rig.deadlines.start(thing)
        await asyncio.sleep(1)
    rig.deadlines.stop("b")
    rig.deadlines.stop("nobody")
    await asyncio.sleep(100)
    assert rig.expired == [(10, "a"), (12, "c"), (13, "d")]
    assert len(rig.deadlines) == 0


async def test_time_begins_anew() -> None:
    rig = Rig()
    rig.deadlines.start("a")
    rig.deadlines.start("b")
    await asyncio.sleep(6)
    rig.deadlines.start("a")
    assert "a" in rig.deadlines
    await asyncio.sleep(100)
    assert rig.expired == [(10, "b"), (16, "a")]


async def test_what_expires_may_begin_again() -> None:
    rig = Rig()

    def again(thing: str) -> None:
        rig.expire(thing)
        if len(rig.expired) < 3:
            deadlines.start(thing)

    deadlines = rig.deadlines = Deadlines(rig.loop, 10.0, again)
    deadlines.start("a")
    await asyncio.sleep(100)
    assert rig.expired == [(10, "a"), (20, "a"), (30, "a")]


async def test_the_oldest_may_be_hastened() -> None:
    rig = Rig()
    for thing in "ab":
        rig.deadlines.start(thing)
    rig.deadlines.hasten()
    assert rig.expired == [(0, "a")]


async def test_closing_leaves_no_timer() -> None:
    rig = Rig()
    for thing in "ab":
        rig.deadlines.start(thing)
    rig.deadlines.close()
    assert rig.expired == [(0, "a"), (0, "b")]
    rig.deadlines.close()
    await asyncio.sleep(100)
    assert len(rig.expired) == 2
