"""Establishment carried out: what the scheduler decides is done, and whatever is not kept is closed."""

import asyncio
import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.memory_network import (
    HANGS,
    Destination,
    MemoryServer,
    Network,
    client_config,
    make_tunnel,
    settle,
)
from tests.unit.establishment.line import Line, address

from headrace.base.errors import (
    ConnectTimeout,
    HandshakeTimeout,
    HeadraceError,
    NetworkError,
    RemoteProtocolError,
)
from headrace.base.rng import SeededRng
from headrace.client import api
from headrace.client.api import Identity
from headrace.client.establish import Establisher
from headrace.client.tunnel import CONNECT_TIMEOUT, REQUEST_TIMEOUT, Tunnel
from headrace.codec.handshake_response import HandshakeResponse
from headrace.establishment.dial_parameters import DialParameters, choose
from headrace.establishment.scheduler import Scheduler
from headrace.establishment.settings import EstablishmentSettings
from headrace.ssh import numbers

pytestmark = pytest.mark.virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


class ScriptedTunnel(Tunnel):
    """Is through after `delay` seconds, or fails then; its handshake takes `handshake` seconds, or fails."""

    def __init__(
        self,
        attempt: DialParameters,
        delay: float,
        error: HeadraceError | None = None,
        handshake: float | HeadraceError = 0.0,
    ) -> None:
        identity = Identity.from_config(client_config())
        super().__init__(attempt, identity, SeededRng(1), lambda name, payload: None)
        self._delay, self._failure, self._answer = delay, error, handshake
        self.aborted_at: float | None = None

    async def connect(self, patience: float = CONNECT_TIMEOUT) -> None:
        await asyncio.sleep(self._delay)
        if self._failure is not None:
            raise self._failure

    async def handshake(self) -> HandshakeResponse:
        if isinstance(self._answer, HeadraceError):
            raise self._answer
        await asyncio.sleep(self._answer)
        return HandshakeResponse(client_region="handshake")

    def abort(self) -> None:
        if self.aborted_at is None:
            self.aborted_at = now()


class Race:
    """An establishment of scripted tunnels and all that is told; `script` says what each letter does."""

    def __init__(
        self, script: Callable[[str], tuple[Any, ...]], names: str = "abcdefgh", **settings: Any
    ) -> None:
        self.tunnels: dict[str, ScriptedTunnel] = {}
        self.told: list[tuple[float, str, str]] = []
        self.kept: list[str] = []
        self.script = script
        self.line = Line(*names)
        scheduler = Scheduler(EstablishmentSettings(jitter=0.0, **settings), self.line, SeededRng(1))
        self.establisher = Establisher(scheduler, self.make, self.keep, self)

    def make(self, attempt: DialParameters) -> Tunnel:
        name = name_of(attempt)
        self.tunnels[name] = ScriptedTunnel(attempt, *self.script(name))
        return self.tunnels[name]

    def keep(self, tunnel: Tunnel, response: HandshakeResponse) -> None:
        assert response.client_region == "handshake"
        self.kept.append(name_of(tunnel.dial_parameters))

    def new_round(self, number: int) -> None:
        self.told.append((now(), "round", str(number)))

    def want_servers(self) -> None:
        self.told.append((now(), "want", ""))

    def dialling(self, tunnel: Tunnel) -> None:
        self.told.append((now(), "dial", name_of(tunnel.dial_parameters)))

    def connected(self, tunnel: Tunnel) -> None:
        self.told.append((now(), "connected", name_of(tunnel.dial_parameters)))

    def failed(self, tunnel: Tunnel, error: HeadraceError) -> None:
        self.told.append((now(), "failed", name_of(tunnel.dial_parameters)))

    def dropped(self, tunnel: Tunnel, outrun: bool) -> None:
        self.told.append((now(), "outrun" if outrun else "dropped", name_of(tunnel.dial_parameters)))

    def when(self, what: str) -> dict[str, float]:
        return {name: at for at, told, name in self.told if told == what}

    @property
    def open(self) -> list[str]:
        """Tunnels that nobody has closed."""
        return [name for name, tunnel in self.tunnels.items() if tunnel.aborted_at is None]


def name_of(attempt: DialParameters) -> str:
    return chr(int(attempt.host.rpartition(".")[2]) - 1 + ord("a"))


NO = NetworkError("no")


async def test_the_first_that_is_ready_is_kept_and_the_others_are_closed_at_once() -> None:
    race = Race(lambda name: ({"a": 3.0, "b": 0.5, "c": 0.2, "d": 9.0}[name], None, 0.1), "abcd")
    assert await race.establisher.run()
    assert race.kept == ["c"]
    assert now() == pytest.approx(0.3)
    assert race.open == ["c"]
    assert set(race.when("outrun")) == {"a", "b", "d"}
    assert race.when("failed") == {}  # losing is no failure


async def test_no_more_are_tried_at_once_than_there_are_workers() -> None:
    race = Race(lambda name: (1.0, None if name == "h" else NO), workers=3)
    assert await race.establisher.run()
    assert list(race.when("dial").values()) == [0, 0, 0, 1, 1, 1, 2, 2]
    assert race.open == ["h"]


async def test_a_handshake_that_fails_is_a_failure_and_the_next_one_is_kept() -> None:
    race = Race(lambda name: (0.1, None, NO) if name == "a" else (0.2, None, 0.0), "ab")
    assert await race.establisher.run()
    assert race.kept == ["b"]
    assert set(race.when("failed")) == {"a"}
    assert race.open == ["b"]


async def test_a_tunnel_that_dies_while_it_waits_is_forgotten() -> None:
    race = Race(lambda name: (0.1 if name == "a" else 0.2, None, 1.0), "ab")
    task = asyncio.create_task(race.establisher.run())
    await asyncio.sleep(0.5)
    race.tunnels["b"].ended.set_result(None)
    assert await task
    assert race.when("failed") == {"b": pytest.approx(0.5)}


async def test_giving_up_closes_everything() -> None:
    race = Race(lambda name: (100.0,))
    assert not await race.establisher.run(give_up=30.0)
    assert now() == pytest.approx(30.0)
    assert race.open == []
    assert race.when("failed") == {}


async def test_newcomers_are_tried_at_once() -> None:
    race = Race(lambda name: (0.5,) if name == "z" else (20.0,), "abc")
    task = asyncio.create_task(race.establisher.run())
    await asyncio.sleep(0.25)
    race.establisher.arrived([address("z")])
    assert await task
    assert race.kept == ["z"]
    assert now() == pytest.approx(0.75)


async def test_a_pool_is_filled_and_one_that_is_lost_meanwhile_replaced() -> None:
    race = Race(lambda name: (1.0 + ord(name) - ord("a"),), workers=2, pool_size=2)
    task = asyncio.create_task(race.establisher.run(wanted=2))
    await asyncio.sleep(1.5)
    race.establisher.lost(address("a"))
    assert await task
    assert len(race.kept) == 3


async def test_a_mistake_of_ours_is_heard_of() -> None:
    race = Race(lambda name: (0.1,), "ab")
    race.establisher._keep = lambda tunnel, response: 1 / 0  # type: ignore[assignment]
    with pytest.raises(ZeroDivisionError):
        await race.establisher.run()


@pytest.mark.parametrize("moment", [0.0, 0.25, 0.5, 0.55, 0.6, 1.0])
@pytest.mark.parametrize("turns", range(5))
async def test_whenever_it_is_cancelled_what_is_not_kept_is_closed(moment: float, turns: int) -> None:
    race = Race(lambda name: (0.5, None, 0.1) if name == "a" else (100.0,), stagger=0.2)
    task = asyncio.create_task(race.establisher.run())
    await asyncio.sleep(moment)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert race.open == race.kept
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_end_that_takes_a_while_is_waited_for() -> None:
    class Reluctant(ScriptedTunnel):
        async def connect(self, patience: float = CONNECT_TIMEOUT) -> None:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                await asyncio.sleep(1)
                raise

    race = Race(lambda name: (0.5,), "ab")
    make = race.make
    race.establisher._make = lambda attempt: (
        Reluctant(attempt, 0.0) if name_of(attempt) == "b" else make(attempt)
    )
    assert await race.establisher.run()
    assert now() == pytest.approx(1.5)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_without_a_handshake_the_login_is_enough() -> None:
    kept: list[HandshakeResponse] = []
    race = Race(lambda name: (0.1, None, NO), "a")
    scheduler = Scheduler(EstablishmentSettings(), race.line, SeededRng(1))
    establisher = Establisher(
        scheduler, race.make, lambda tunnel, response: kept.append(response), race, handshake=False
    )
    assert await establisher.run()
    assert kept == [HandshakeResponse()]


# ---- against real sessions --------------------------------------------------------------------------------


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def server(network: Network, tmp_path: Path) -> MemoryServer:
    return MemoryServer(network, tmp_path)


async def fate(tunnel: Tunnel, network: Network) -> HeadraceError:
    """Have a tunnel made; it must fail and leave no connection behind. Return why."""
    with pytest.raises(HeadraceError) as caught:
        await tunnel.connect()
        await tunnel.handshake()
    tunnel.abort()
    await settle()
    assert [wire for wire in network.wires[::2] if not wire.is_closing()] == []
    return caught.value


@pytest.mark.parametrize("protocol", ["OSSH", "SSH"])
async def test_a_server_with_another_host_key_is_never_kept(
    network: Network, server: MemoryServer, protocol: str
) -> None:
    real = base64.b64decode(server.entry.ssh_host_key)
    forged = base64.b64encode(real[:-1] + bytes([real[-1] ^ 1])).decode()
    error = await fate(make_tunnel(server.entry, protocol, change={"ssh_host_key": forged}), network)
    assert isinstance(error, RemoteProtocolError)
    assert error.code == numbers.HOST_KEY_NOT_VERIFIABLE
    assert server.worker.tunnels == 0


async def test_a_refused_password_is_told_once(network: Network, server: MemoryServer) -> None:
    error = await fate(make_tunnel(server.entry, change={"ssh_password": "wrong"}), network)
    assert "refused the password" in str(error)
    assert server.worker.tunnels == 0


async def test_a_refused_handshake_fails(
    network: Network, server: MemoryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "handshake_parameters", lambda identity, dial, rng, known: {})
    error = await fate(make_tunnel(server.entry), network)
    assert str(error) == "the server refused the handshake"


async def test_a_server_that_accepts_and_says_nothing(network: Network, server: MemoryServer) -> None:
    silent = Destination()
    network.places[server.address, 4001] = lambda: silent
    tunnel = make_tunnel(server.entry)
    error = await fate(tunnel, network)
    assert isinstance(error, HandshakeTimeout)
    assert now() == pytest.approx(CONNECT_TIMEOUT * tunnel.latency)
    assert silent.lost


async def test_silence_is_waited_out_with_patience_wherever_it_begins(
    network: Network, server: MemoryServer
) -> None:
    network.places[server.address, 4001] = lambda: Destination()
    network.delays[server.address, 4001] = 1.0
    tunnel = make_tunnel(server.entry)
    with pytest.raises(HandshakeTimeout, match="said nothing"):
        await tunnel.connect(patience=2.0)
    assert now() == pytest.approx(1.0 + 2.0 * tunnel.latency)


async def test_an_address_that_swallows_everything(network: Network, server: MemoryServer) -> None:
    network.places[server.address, 4001] = HANGS
    tunnel = make_tunnel(server.entry)
    with pytest.raises(ConnectTimeout):
        await tunnel.connect(patience=3.0)
    assert now() == pytest.approx(3.0 * tunnel.latency)


async def test_a_server_that_hangs_up(network: Network, server: MemoryServer) -> None:
    class HangsUp(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            transport.close()

    network.places[server.address, 4001] = HangsUp
    error = await fate(make_tunnel(server.entry), network)
    assert isinstance(error, NetworkError)
    assert now() < 1


async def test_a_server_that_talks_nonsense(network: Network, server: MemoryServer) -> None:
    class Nonsense(Destination):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.send(SeededRng(2).bytes(100_000))

    network.places[server.address, 4001] = Nonsense
    error = await fate(make_tunnel(server.entry), network)
    assert isinstance(error, RemoteProtocolError)
    assert now() < 1


async def test_a_server_that_lets_us_in_and_never_answers_the_handshake(
    network: Network, server: MemoryServer
) -> None:
    tunnel = make_tunnel(server.entry)
    await tunnel.connect()
    began = now()
    network.wires[0].stuck = True  # nothing that we say arrives any more
    with pytest.raises(HandshakeTimeout, match="psiphon-handshake"):
        await tunnel.handshake()
    assert now() - began == pytest.approx(REQUEST_TIMEOUT * tunnel.latency)
    tunnel.abort()


async def test_many_servers_one_is_good(network: Network, server: MemoryServer) -> None:
    """Black holes, refusals, silence and a slow good one: it is kept, all other connections are closed."""
    silent = [Destination() for _ in range(3)]
    for number in range(3):
        network.places[f"198.51.100.{number}", 4001] = HANGS
        network.places[f"198.51.100.{3 + number}", 4001] = NetworkError("Connection refused")
        network.places[f"198.51.100.{6 + number}", 4001] = lambda number=number: silent[number]  # type: ignore[misc]
    network.delays[server.address, 4001] = 0.3

    race = Race(lambda name: (0.0,), "abcdefghij")
    good = choose(server.entry, "OSSH", SeededRng(1))
    identity = Identity.from_config(client_config())
    made: list[Tunnel] = []

    def make(attempt: DialParameters) -> Tunnel:
        number = ord(name_of(attempt)) - ord("a")
        host = server.address if number == 9 else f"198.51.100.{number}"
        real = replace(good, host=host, candidate_number=attempt.candidate_number)
        made.append(Tunnel(real, identity, SeededRng(4), lambda name, payload: None))
        return made[-1]

    race.keep = lambda tunnel, response: race.kept.append(tunnel.dial_parameters.host)  # type: ignore[method-assign]
    race.dialling = race.connected = race.failed = lambda *told: None  # type: ignore[method-assign, assignment]
    race.dropped = lambda tunnel, outrun: None  # type: ignore[method-assign]
    scheduler = Scheduler(EstablishmentSettings(), race.line, SeededRng(1))
    assert await Establisher(scheduler, make, race.keep, race).run()
    assert race.kept == [server.address]
    assert now() == pytest.approx(0.3, abs=0.1)
    await settle()
    assert all(place.lost for place in silent)
    assert len(network.open) == 2  # the winner's connection has two ends
    made[9].close()
    await settle()
    assert network.open == []
