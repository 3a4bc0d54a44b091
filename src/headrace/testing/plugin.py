"""A pytest plugin: which event loop a test runs on, and a network on loopback to run it against.

Load it with `pytest_plugins = ["headrace.testing.plugin"]` in the top conftest.py. With pytest-asyncio,

    async def test_...                     runs on the standard library's loop
    @pytest.mark.both_loops                runs once on that and once on uvloop, where it is installed
    @pytest.mark.virtual_time              runs on a loop whose clock jumps from timer to timer

and the fixtures are ready to use. A marker may be a module's `pytestmark`.

    origin             a web server
    loopback_network   a server, a connected client and an origin
    censored_network   three servers, each behind a censor, lists, an origin, and clients when asked for
    make_network       as many as you like: `network = await make_network(5, rules=Rule(rate=20_000))`
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest
import pytest_asyncio

from headrace.net.loop import loop_factory
from headrace.testing.loopback import LoopbackNetwork
from headrace.testing.network import CensoredNetwork
from headrace.testing.origin import Origin
from headrace.testing.virtual_time import VirtualTimeLoop

__all__ = [
    "MakeNetwork",
    "censored_network",
    "loopback_network",
    "make_network",
    "origin",
    "pytest_asyncio_loop_factories",
    "pytest_configure",
]

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "both_loops: run on the standard library's event loop and on uvloop",
        "virtual_time: run on a loop whose clock jumps from timer to timer",
    ):
        config.addinivalue_line("markers", line)


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, LoopFactory]:
    """Return the loops a test is to run on, by name."""
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualTimeLoop}
    factories: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    if item.get_closest_marker("both_loops"):
        better = loop_factory()
        if better is not asyncio.new_event_loop:
            factories["uvloop"] = better
    return factories


@pytest_asyncio.fixture
async def origin() -> AsyncIterator[Origin]:
    """A web server on loopback."""
    async with Origin() as server:
        yield server


@pytest_asyncio.fixture
async def loopback_network() -> AsyncIterator[LoopbackNetwork]:
    """A server, a connected client and an origin, all in this process."""
    async with LoopbackNetwork() as network:
        yield network


class MakeNetwork(Protocol):
    """What the fixture `make_network` is; its arguments are those of `CensoredNetwork`."""

    async def __call__(self, servers: int = 3, **settings: Any) -> CensoredNetwork: ...


@pytest_asyncio.fixture
async def make_network() -> AsyncIterator[MakeNetwork]:
    """A maker of networks, which end with the test."""
    async with AsyncExitStack() as stack:

        async def make(servers: int = 3, **settings: Any) -> CensoredNetwork:
            return await stack.enter_async_context(CensoredNetwork(servers, **settings))

        yield make


@pytest_asyncio.fixture
async def censored_network(make_network: MakeNetwork) -> CensoredNetwork:
    """Three servers, each behind a censor that lets everything pass until it is told otherwise."""
    return await make_network()
