"""A server's door, on real sockets: who is taken when, who waits, and what a closed one looks like."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from headrace.base.errors import OperatorError
from headrace.net import listener as listener_module
from headrace.net.listener import BATCH, GIVE_UP, RELIEF, Listener

LOOPBACK = "127.0.0.1"


class Guest(asyncio.Protocol):
    """A connection that was taken."""

    def __init__(self, house: "House") -> None:
        self._house = house
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._house.guests.append(self)
        self._house.came.set()


class House:
    """A listener, its keeper, and who came in."""

    def __init__(self, port: int = 0, hosts: tuple[str, ...] = (LOOPBACK,)) -> None:
        self.guests: list[Guest] = []
        self.came = asyncio.Event()
        self.delays: list[float] = []
        self.shortages = 0
        self.count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.listener = Listener(
            lambda: Guest(self), hosts, port, what="OSSH", keeper=self, spawn=self._spawn
        )

    def wait(self) -> float:
        return self.delays.pop(0) if self.delays else 0.0

    def taken(self) -> None:
        self.count += 1

    def short(self) -> None:
        self.shortages += 1

    async def holds(self, count: int) -> None:
        """Wait until so many have come in."""
        while len(self.guests) < count:
            self.came.clear()
            await self.came.wait()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def empty(self) -> None:
        self.listener.close()
        await asyncio.gather(*self._tasks)
        for guest in self.guests:
            assert guest.transport is not None
            guest.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def house(port: int = 0, hosts: tuple[str, ...] = (LOOPBACK,)) -> AsyncIterator[House]:
    here = House(port, hosts)
    try:
        here.listener.open()
        yield here
    finally:
        await here.empty()


Visit = Callable[..., socket.socket]


@pytest.fixture
def visit() -> Iterator[Visit]:
    """Connects, and closes what was connected at the end."""
    with_me: list[socket.socket] = []

    def connect(port: int, host: str = LOOPBACK) -> socket.socket:
        with_me.append(connected := socket.create_connection((host, port), 5))
        return connected

    yield connect
    for connected in with_me:
        connected.close()


@pytest.mark.both_loops
async def test_who_connects_comes_in(visit: Visit) -> None:
    async with house() as here:
        for _ in range(3 * BATCH):
            visit(here.listener.port)
        await here.holds(3 * BATCH)
        assert here.count == 3 * BATCH
        assert here.shortages == 0


@pytest.mark.both_loops
async def test_one_port_of_several_addresses(visit: Visit) -> None:
    async with house(hosts=(LOOPBACK, "127.0.0.2", "::1")) as here:
        for host in (LOOPBACK, "127.0.0.2", "::1"):
            visit(here.listener.port, host)
        await here.holds(3)


@pytest.mark.both_loops
async def test_connections_have_the_options_of_the_door(visit: Visit) -> None:
    async with house() as here:
        visit(here.listener.port)
        await here.holds(1)
        (guest,) = here.guests
        assert guest.transport is not None
        tcp = guest.transport.get_extra_info("socket")
        assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == GIVE_UP * 1000


@pytest.mark.both_loops
async def test_a_shut_door_is_a_closed_port_and_opens_again_at_the_same(visit: Visit) -> None:
    async with house() as here:
        port = here.listener.port
        visit(port)
        await here.holds(1)
        here.listener.shut()
        with pytest.raises(ConnectionRefusedError):
            visit(port)
        here.listener.open()
        here.listener.open()
        assert here.listener.port == port
        visit(port)
        await here.holds(2)


@pytest.mark.both_loops
async def test_who_is_in_the_systems_queue_when_it_shuts_comes_in_still(visit: Visit) -> None:
    async with house() as here:
        early = [visit(here.listener.port) for _ in range(5)]  # nothing has run on the loop since
        here.listener.shut()
        await here.holds(5)
        assert here.count == 5
        for connected in early:
            connected.setblocking(False)
            with pytest.raises(BlockingIOError):  # open, and nothing has been said
                connected.recv(1)


@pytest.mark.both_loops
async def test_two_processes_have_one_door_and_one_that_shuts_leaves_all_to_the_other(visit: Visit) -> None:
    async with house() as one, house(one.listener.port) as other:
        for _ in range(64):
            visit(one.listener.port)
        other.came = one.came
        while len(one.guests) + len(other.guests) < 64:
            one.came.clear()
            await one.came.wait()
        assert one.count
        assert other.count
        one.listener.shut()
        before = other.count
        for _ in range(16):
            visit(other.listener.port)
        await other.holds(before + 16)


@pytest.mark.both_loops
async def test_a_port_that_somebody_has_alone_is_told() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        here = House(port)
        with pytest.raises(OperatorError, match=rf"^OSSH cannot listen on port {port}: Address already"):
            here.listener.open()
    here.listener.open()  # it is free now, and nothing was left half done
    await here.empty()


@pytest.mark.both_loops
async def test_one_address_in_use_leaves_none_open() -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        here = House(port, (LOOPBACK, "127.0.0.2"))
        with pytest.raises(OperatorError):
            here.listener.open()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, port), 5)


# ---- on virtual time --------------------------------------------------------------------------------------


class Door(socket.socket):
    """A listening socket that may have an error instead of a connection."""

    asked = 0
    error = 0

    def accept(self) -> tuple[socket.socket, Any]:
        self.asked += 1
        if self.error:
            raise OSError(self.error, "no")
        return super().accept()


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    with Door() as listening:
        listening.bind((LOOPBACK, 0))
        listening.listen()
        listening.setblocking(False)
        monkeypatch.setattr(listener_module, "_listen", lambda host, port: listening)
        yield listening


@pytest.mark.virtual_time
async def test_the_keeper_says_how_long_to_wait(door: Door, visit: Visit) -> None:
    loop = asyncio.get_running_loop()
    async with house() as here:
        here.delays = [0.0, 0.0, 7.0]
        for _ in range(10):
            visit(here.listener.port)
        await asyncio.sleep(6.9)
        assert here.count == 2
        await asyncio.sleep(0.2)
        assert here.count == 10
        assert loop.time() < 8


@pytest.mark.virtual_time
async def test_others_have_their_turn_between_batches(door: Door, visit: Visit) -> None:
    async with house() as here:
        for _ in range(3 * BATCH):
            visit(here.listener.port)
        rounds = []
        while here.count < 3 * BATCH:
            await asyncio.sleep(0)
            rounds.append(here.count)
        assert all(after - before <= BATCH for before, after in zip([0, *rounds], rounds, strict=False))


@pytest.mark.virtual_time
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_a_system_without_room_is_not_asked_in_a_loop(door: Door, visit: Visit, number: int) -> None:
    door.error = number
    async with house() as here:
        visit(here.listener.port)
        await asyncio.sleep(10 * RELIEF + 0.5)
        assert door.asked == here.shortages == 11
        door.error = 0
        await asyncio.sleep(RELIEF)
        assert here.count == 1


@pytest.mark.virtual_time
async def test_other_errors_rest_too_and_are_no_shortage(door: Door, visit: Visit) -> None:
    door.error = errno.EPERM
    async with house() as here:
        visit(here.listener.port)
        await asyncio.sleep(3 * RELIEF + 0.5)
        assert door.asked == 4
        assert here.shortages == 0


@pytest.mark.virtual_time
async def test_who_has_gone_before_he_came_in_is_no_reason_to_rest(door: Door, visit: Visit) -> None:
    door.error = errno.ECONNABORTED
    async with house() as here:
        visit(here.listener.port)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert door.asked >= BATCH
        door.error = 0
        await here.holds(1)


@pytest.mark.virtual_time
async def test_a_rest_ends_with_the_door(door: Door, visit: Visit) -> None:
    door.error = errno.EMFILE
    async with house() as here:
        visit(here.listener.port)
        await asyncio.sleep(0.1)
        here.listener.close()
        await asyncio.sleep(10)
        assert door.asked == 1
