"""Noticing another network: what counts as one, on virtual time, and that a real kernel tells of it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.interop.programs import missing

from headrace.net import network_watch
from headrace.net.default_route import DefaultRoute
from headrace.net.network_watch import NetworkWatch, Place

HOME = Place(DefaultRoute("wlan0", "192.0.2.1", "02:00:5e:10:00:01"), "192.0.2.7")
UNSURE = Place(DefaultRoute("wlan0", "192.0.2.1"), "192.0.2.7")
CAFE = Place(DefaultRoute("wlan0", "192.0.2.1", "02:00:5e:10:00:02"), "192.0.2.7")
MOVED = Place(DefaultRoute("wlan0", "192.0.2.1", "02:00:5e:10:00:01"), "192.0.2.8")
MOBILE = Place(DefaultRoute("wwan0"), "203.0.113.5")


class Machine:
    """A machine that is where the test says."""

    def __init__(self, place: Place | None) -> None:
        self.place = place
        self.changes: list[float] = []
        self.watch = NetworkWatch(self._changed, lambda: self.place)

    def _changed(self) -> None:
        self.changes.append(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def watched(self) -> AsyncIterator["Machine"]:
        task = asyncio.create_task(self.watch.run())
        yield self
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def go(self, *places: Place | None, each: float = 20.0) -> int:
        """Be at these places one after the other; return how many changes were noticed."""
        before = len(self.changes)
        for place in places:
            self.place = place
            self.watch.notice()
            await asyncio.sleep(each)
        return len(self.changes) - before


@pytest.fixture(autouse=True)
def _without_a_kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("virtual_time"):
        monkeypatch.setattr(network_watch, "_subscribe", lambda: None)


@pytest.mark.virtual_time
async def test_renewed_routes_are_no_change() -> None:
    async with Machine(HOME).watched() as machine:
        assert await machine.go(HOME, None, HOME, None, None, HOME) == 0


@pytest.mark.virtual_time
@pytest.mark.parametrize("place", [CAFE, MOVED, MOBILE])
async def test_another_router_address_or_interface_is_one(place: Place) -> None:
    async with Machine(HOME).watched() as machine:
        assert await machine.go(place) == 1
        assert await machine.go(place, None, place) == 0
        assert await machine.go(None, HOME) == 1


@pytest.mark.virtual_time
async def test_a_router_that_is_not_known_yet_is_waited_for() -> None:
    async with Machine(HOME).watched() as machine:
        assert await machine.go(None, UNSURE, HOME) == 0
        assert await machine.go(None) == 0
        machine.place = UNSURE
        machine.watch.notice()
        await asyncio.sleep(3)
        assert machine.changes == []
        machine.place = CAFE  # the router has answered: it is another one
        await asyncio.sleep(3)
        assert len(machine.changes) == 1


@pytest.mark.virtual_time
async def test_many_news_at_once_are_one_look() -> None:
    async with Machine(HOME).watched() as machine:
        for place in (None, MOBILE, HOME, MOBILE):
            machine.place = place
            machine.watch.notice()
            await asyncio.sleep(0.05)
        await asyncio.sleep(20)
        assert len(machine.changes) == 1


@pytest.mark.virtual_time
async def test_the_first_network_after_none_is_no_change() -> None:
    async with Machine(None).watched() as machine:
        assert await machine.go(HOME) == 0
        assert await machine.go(MOBILE) == 1


async def test_where_the_kernel_tells_nothing_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    machine = Machine(HOME)
    async with machine.watched():
        await asyncio.sleep(0)
    assert machine.changes == []


#: Runs in a network namespace of its own, where it is root: two cables, and routes over the one or the other.
_SCRIPT = """
import asyncio, subprocess
from headrace.net.loop import run
from headrace.net.network_watch import NetworkWatch, current_place
from headrace.net.routes import has_route, network_up

def ip(command):
    subprocess.run(["ip", *command.split()], check=True)

async def main():
    assert not network_up("198.51.100.9")
    for name, number in (("home", 100), ("cafe", 101)):
        ip(f"link add {name} type veth peer name {name}x")
        ip(f"link set {name}x up")
        ip(f"link set {name} up")
    ip("addr add 198.51.100.2/24 dev home")
    ip("addr add 203.0.113.2/24 dev cafe")
    ip("neigh add 198.51.100.1 lladdr 02:00:5e:10:00:01 dev home")
    ip("neigh add 203.0.113.1 lladdr 02:00:5e:10:00:02 dev cafe")
    assert has_route("198.51.100.9") and not network_up()
    ip("route add default via 198.51.100.1")
    assert network_up()
    place = current_place()
    assert (place.route.interface, place.route.hardware) == ("home", "02:00:5e:10:00:01"), place
    assert place.source == "198.51.100.2"
    changed, looks = asyncio.Event(), asyncio.Queue()

    def look():
        looks.put_nowait(None)
        return current_place()

    async def looked():
        await looks.get()
        while not looks.empty():
            looks.get_nowait()

    watch = NetworkWatch(changed.set, look, settle=0.05)
    task = asyncio.create_task(watch.run())
    async with asyncio.timeout(30):
        await looked()
        ip("route del default")
        await looked()
        ip("route add default via 198.51.100.1")
        await looked()
        assert not changed.is_set(), "the same network, again"
        ip("route replace default via 203.0.113.1")
        await changed.wait()
        changed.clear()
        ip("addr del 203.0.113.2/24 dev cafe")
        ip("addr add 203.0.113.3/24 dev cafe")
        ip("route replace default via 203.0.113.1")
        await changed.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    print("noticed")

run(main())
"""


@pytest.mark.root
@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells of routes over netlink")
def test_a_real_kernel_tells_of_another_network(tmp_path: Path) -> None:
    if os.geteuid():
        missing("root")
    script = tmp_path / "watch.py"
    script.write_text(_SCRIPT)
    done = subprocess.run(
        ["unshare", "--net", "--", sys.executable, str(script)], capture_output=True, text=True, timeout=50
    )
    assert (done.returncode, done.stdout) == (0, "noticed\n"), done.stderr
