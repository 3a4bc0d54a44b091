"""A day in the life of a client: it sleeps, wakes, changes networks, loses servers, and does not grow."""

import asyncio
import gc
import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.memory_network import MemoryServer, Network, client_config

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.rng import SeededRng
from headrace.client.controller import Controller
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.servers import StoredServers
from headrace.client.surroundings import Surroundings
from headrace.store.client.store import ClientStore

pytestmark = pytest.mark.virtual_time

HOURS, EVENTS, PERIOD = 24, 10, 330.0
#: Seconds in which a client is connected again, whatever happened: a keep-alive's period and its timeout.
AGAIN = 150.0 + 30.0


class Journey(Surroundings):
    """A machine on a journey."""

    def __init__(self) -> None:
        self.network = 0
        self.up = True
        self.changed: Callable[[], None] = lambda: None
        self.resumed: Callable[[float], None] = lambda slept: None

    def network_id(self) -> str:
        return f"WIFI-{self.network}"

    def network_up(self, host: str) -> bool:
        return self.up

    async def watch(self, network_changed: Callable[[], None], resumed: Callable[[float], None]) -> None:
        self.changed, self.resumed = network_changed, resumed
        await asyncio.Event().wait()


class Nowhere(io.TextIOBase):
    """Keeps nothing of what is written."""

    def write(self, text: str) -> int:
        return len(text)


async def test_a_day(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    network = Network.install(monkeypatch)
    servers = [MemoryServer(network, tmp_path / str(n), f"192.0.2.{n}") for n in (1, 2)]
    store = ClientStore.open(tmp_path / "store", SYSTEM_CLOCK)
    for server in servers:
        fields = {"localSource": "EMBEDDED", "localTimestamp": "2026-01-01T00:00:00Z"}
        store.entries.store({**server.entry.fields, **fields}, replace=True)
    journey, draw = Journey(), random.Random(7)
    controller = Controller(
        client_config(DisableLocalSocksProxy=True, DisableLocalHTTPProxy=True),
        StoredServers(store),
        Notices(Nowhere(), SYSTEM_CLOCK, NoticeOptions(diagnostics=True)),  # type: ignore[arg-type]
        SeededRng(5),
        store=store,
        surroundings=journey,
    )
    task = asyncio.create_task(controller.run())
    loop = asyncio.get_running_loop()

    async def happen() -> None:
        match draw.randrange(6):
            case 0:
                journey.network = draw.randrange(3)
                journey.changed()
            case 1:
                journey.resumed(draw.random() * 400)
            case 2:
                for server in servers:
                    for session in list(server.sessions):
                        session.socket.abort()
            case 3:
                journey.up = False
                journey.changed()
                await asyncio.sleep(20)
                journey.up = True
            case 4:
                for wire in network.open:
                    wire.stuck = True

    sizes = []
    for _ in range(HOURS):
        for _ in range(EVENTS):
            await happen()
            await asyncio.sleep(AGAIN)
            assert controller.connected.is_set()
            await asyncio.sleep(PERIOD - AGAIN)
        network.dialled.clear()
        network.wires[:] = network.open
        gc.collect()
        size = sum(path.stat().st_size for path in (tmp_path / "store").iterdir())
        sizes.append((len(asyncio.all_tasks()), len(network.open), len(gc.get_objects()), size))
    controller.stop()
    await task
    store.close()
    warm = sizes[2:]  # once everything has happened
    assert max(tasks for tasks, _, _, _ in warm) <= sizes[1][0] + 2
    assert {wires for _, wires, _, _ in warm} == {2}
    early, late = warm[0], warm[-1]
    assert late[2] - early[2] < 1000  # objects: what a thousand attempts left would be tens of thousands
    assert late[3] <= max(early[3], 5 * 1024 * 1024)
    assert len(loop._scheduled) < 500  # type: ignore[attr-defined]
