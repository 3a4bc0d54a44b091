"""The wall clock is set at any time, to any date: the client connects, connects again, and remembers."""

import asyncio
import io
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.memory_network import HANGS, MemoryServer, Network, client_config, settle

from headrace.base.rng import SeededRng
from headrace.client.controller import Controller
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.servers import StoredServers
from headrace.establishment.dial_settings import DialSettings
from headrace.store.client.store import ClientStore

pytestmark = pytest.mark.virtual_time

DAY, YEAR = 86_400.0, 365.25 * 86_400
START = 1_780_000_000.0
#: 1970, the day before, and the ends of what 32 bits hold.
DATES = (0.0, -DAY, START, 2.0**31, 2.0**32)
#: Seconds that a tunnel lasts in these tests: long enough to have served well.
WHILE = 600.0
#: Seconds in which there is a tunnel again.
SOON = 60.0


class Wall:
    """Intervals as the loop counts them, and a date that can be set."""

    def __init__(self) -> None:
        self._ahead = START

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    boottime = monotonic

    def time(self) -> float:
        return self._ahead + self.monotonic()

    def jump(self, seconds: float) -> None:
        self._ahead += seconds

    def set(self, date: float) -> None:
        self._ahead = date - self.monotonic()


class Life:
    """A client with a store, the only server it knows, and the clock on the wall."""

    def __init__(self, server: MemoryServer) -> None:
        self.wall, self.server = Wall(), server
        self.store = ClientStore.open(None, self.wall)
        fields = {"localSource": "EMBEDDED", "localTimestamp": "2026-01-01T00:00:00Z"}
        self.store.entries.store({**server.entry.fields, **fields}, replace=True)
        self._stream = io.StringIO()
        self.controller = Controller(
            client_config(DisableLocalSocksProxy=True, DisableLocalHTTPProxy=True),
            StoredServers(self.store),
            Notices(self._stream, self.wall, NoticeOptions(diagnostics=True)),
            SeededRng(3),
            store=self.store,
            clock=self.wall,
        )

    def told(self, kind: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [line["data"] for line in lines if line["noticeType"] == kind]

    async def connected(self) -> None:
        async with asyncio.timeout(SOON):
            await self.controller.connected.wait()

    async def lose(self) -> None:
        """Cut all tunnels, and see that it is noticed."""
        for session in list(self.server.sessions):
            session.socket.abort()
        await self.controller.disconnected.wait()

    @property
    def replayed(self) -> bool:
        """Whether the last tunnel was made as an earlier one was."""
        return bool(self.told("ConnectedServer")[-1].get("isReplay"))


@asynccontextmanager
async def living(network: Network, directory: Path) -> AsyncIterator[Life]:
    life = Life(MemoryServer(network, directory))
    task = asyncio.create_task(life.controller.run())
    try:
        await life.connected()
        yield life
        assert not task.done()
    finally:
        life.controller.stop()
        await task  # raises what went wrong
        life.store.close()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


JUMPS = {
    "an hour on": 3600.0,
    "an hour back": -3600.0,
    "a day back": -DAY,
    "a day on": DAY,
    "years on": 40 * YEAR,
    "years back": -40 * YEAR,
    "to 1970": -START - WHILE,
    "before 1970": -START - YEAR,
}


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
async def test_a_jump_between_two_tunnels(network: Network, tmp_path: Path, jump: float) -> None:
    """A record is replayed unless it has become too old; one from the future counts as just used."""
    async with living(network, tmp_path) as life:
        await asyncio.sleep(WHILE)
        assert not life.replayed
        life.wall.jump(jump)
        await life.lose()
        await life.connected()
        await settle()
        assert life.replayed == (jump + WHILE < DialSettings().replay_ttl)
        await asyncio.sleep(WHILE)
        await life.lose()
        await life.connected()
        await settle()
        assert life.replayed  # by the clock as it is now


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
async def test_a_jump_amid_an_establishment(network: Network, tmp_path: Path, jump: float) -> None:
    """How long anything is waited for does not depend on the date."""
    async with living(network, tmp_path) as life:
        await asyncio.sleep(WHILE)
        places = dict(network.places)
        for place in places:
            network.places[place] = HANGS
        await life.lose()
        dialled = len(network.dialled)
        await asyncio.sleep(30)
        life.wall.jump(jump)
        await asyncio.sleep(30)
        assert 4 <= len(network.dialled) - dialled <= 20
        network.places |= places
        await life.connected()


async def test_a_clock_that_never_comes_to_rest(network: Network, tmp_path: Path) -> None:
    draw = random.Random(5)
    async with living(network, tmp_path) as life:
        for _ in range(60):
            life.wall.set(
                draw.choice([0.0, -DAY, START, 2.0**31, 2.0**32, START + draw.uniform(-1, 1) * YEAR])
            )
            await asyncio.sleep(draw.random() * WHILE)
            if draw.random() < 0.7:
                await life.lose()
                life.wall.jump(draw.uniform(-1, 1) * DAY)
            await life.connected()
        assert {bool(data.get("isReplay")) for data in life.told("ConnectedServer")} == {True, False}
