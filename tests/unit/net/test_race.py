"""Races between a name's addresses: who begins when, who wins, and what becomes of the others."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import ConnectRefused, ConnectTimeout, NetworkError, Unreachable
from headrace.net.race import STAGGER, interleave, race

pytestmark = pytest.mark.virtual_time

Attempt = Callable[[], Coroutine[Any, Any, str]]


class Course:
    """Runners that each take so long and then arrive, or fail."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, float]] = []
        self.given_up: list[str] = []
        self.discarded: list[str] = []

    def runner(self, name: str, seconds: float, error: Exception | None = None) -> Attempt:
        return partial(self._run, name, seconds, error)

    async def _run(self, name: str, seconds: float, error: Exception | None) -> str:
        self.begun.append((name, asyncio.get_running_loop().time()))
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.given_up.append(name)
            raise
        if error is not None:
            raise error
        return name

    async def race(self, *runners: Attempt) -> str:
        try:
            return await race(runners, self.discarded.append)
        finally:
            await _rounds()
            assert asyncio.all_tasks() == {asyncio.current_task()}


async def _rounds() -> None:
    """Let those who were cancelled end."""
    for _ in range(3):
        await asyncio.sleep(0)


def test_families_take_turns() -> None:
    assert interleave(["::1", "::2", "::3", "192.0.2.1"]) == ["192.0.2.1", "::1", "::2", "::3"]
    assert interleave(["192.0.2.1", "192.0.2.2", "::1"]) == ["192.0.2.1", "::1", "192.0.2.2"]
    assert interleave([]) == []


@given(st.lists(st.ip_addresses().map(str), unique=True))
def test_none_is_lost_and_each_family_keeps_its_order(addresses: list[str]) -> None:
    mixed = interleave(addresses)
    for family in (True, False):
        assert [a for a in mixed if (":" in a) == family] == [a for a in addresses if (":" in a) == family]


async def test_one_that_is_quick_has_no_rival() -> None:
    course = Course()
    assert await course.race(course.runner("a", STAGGER - 0.01), course.runner("b", 0)) == "a"
    assert course.begun == [("a", 0)]


async def test_the_next_begins_beside_one_that_is_slow() -> None:
    course = Course()
    runners = course.runner("a", 9), course.runner("b", 9), course.runner("c", 0.1)
    assert await course.race(*runners) == "c"
    assert course.begun == [("a", 0), ("b", STAGGER), ("c", 2 * STAGGER)]
    assert sorted(course.given_up) == ["a", "b"]
    assert course.discarded == []


async def test_the_slow_one_may_still_win() -> None:
    course = Course()
    assert await course.race(course.runner("a", STAGGER + 0.1), course.runner("b", 9)) == "a"
    assert course.given_up == ["b"]


async def test_what_fails_is_followed_at_once() -> None:
    course = Course()
    error = Unreachable("no route")
    runners = course.runner("a", 0.1, error), course.runner("b", 0, error), course.runner("c", 0)
    assert await course.race(*runners) == "c"
    assert course.begun == [("a", 0), ("b", 0.1), ("c", 0.1)]


async def test_the_last_failure_is_told() -> None:
    course = Course()
    slow = course.runner("a", 5, ConnectTimeout("slow"))
    with pytest.raises(ConnectTimeout, match="slow"):
        await course.race(slow, course.runner("b", 0, ConnectRefused("refused")))
    assert asyncio.get_running_loop().time() == 5


async def test_a_single_attempt_needs_no_race() -> None:
    course = Course()
    assert await course.race(course.runner("a", 9)) == "a"
    with pytest.raises(NetworkError):
        await course.race(course.runner("a", 9, ConnectRefused("refused")))


async def test_other_errors_end_the_race() -> None:
    course = Course()
    with pytest.raises(ZeroDivisionError):
        await course.race(course.runner("a", 9), course.runner("b", 0, ZeroDivisionError()))
    assert course.given_up == ["a"]


async def test_of_two_that_arrive_together_one_is_let_go() -> None:
    course = Course()
    winner = await course.race(course.runner("a", STAGGER + 1), course.runner("b", 1))
    assert [winner, *course.discarded] in (["a", "b"], ["b", "a"])


async def test_nobody_runs_on_when_the_race_is_called_off() -> None:
    course = Course()
    task = asyncio.ensure_future(
        race((course.runner("a", 9), course.runner("b", 9)), course.discarded.append)
    )
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    await _rounds()
    assert sorted(course.given_up) == ["a", "b"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_who_arrives_although_given_up_is_let_go() -> None:
    course = Course()

    async def stubborn() -> str:
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            return "stubborn"
        return "late"

    assert await course.race(stubborn, course.runner("b", 0)) == "b"
    assert course.discarded == ["stubborn"]
