"""Which event loop runs."""

import asyncio
import builtins
import sys
from collections.abc import Callable
from typing import Any

import pytest

from headrace.net.loop import loop_factory, run


@pytest.fixture
def without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a system for which there is none."""
    original: Callable[..., Any] = builtins.__import__

    def refuse(name: str, *arguments: Any, **settings: Any) -> Any:
        if name == "uvloop":
            raise ImportError(name)
        return original(name, *arguments, **settings)

    monkeypatch.delitem(sys.modules, "uvloop", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)


def test_the_better_one_where_it_is_installed() -> None:
    uvloop = pytest.importorskip("uvloop")
    assert loop_factory() is uvloop.new_event_loop
    assert loop_factory("uvloop") is uvloop.new_event_loop


@pytest.mark.usefixtures("without_uvloop")
def test_the_standard_one_where_it_is_not() -> None:
    assert loop_factory() is asyncio.new_event_loop
    with pytest.raises(ImportError):
        loop_factory("uvloop")


def test_the_standard_one_where_it_is_asked_for() -> None:
    assert loop_factory("asyncio") is asyncio.new_event_loop


@pytest.mark.parametrize("kind", ["auto", "asyncio"])
def test_a_coroutine_runs_to_its_end_on_a_loop_of_its_own(kind: str) -> None:
    async def main() -> asyncio.AbstractEventLoop:
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    loop = run(main(), kind)
    assert loop.is_closed()
    if kind == "asyncio":
        assert isinstance(loop, asyncio.SelectorEventLoop)


def test_what_it_raises_comes_out() -> None:
    async def main() -> None:
        raise LookupError("from inside")

    with pytest.raises(LookupError, match="from inside"):
        run(main())
