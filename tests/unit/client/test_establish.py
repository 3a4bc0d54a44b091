"""Establishment: who is tried, when, and that whatever is not kept is closed. All on virtual time."""

import asyncio
import base64
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

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
from tests.unit.client.dialable import entry

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
from headrace.client.establish import GRACE, SPARE, Establishment
from headrace.client.tunnel import CONNECT_TIMEOUT, LOGIN_TIMEOUT, Tunnel
from headrace.codec.handshake_response import HandshakeResponse
from headrace.establishment.dial_parameters import DialParameters, choose
from headrace.ssh import numbers

pytestmark = pytest.mark.virtual_time


class Prepared:
    """Attempts that a test made; `add` brings more, and says so."""

    def __init__(self, attempts: Iterable[DialParameters]) -> None:
        self.arrived = asyncio.Event()
        self._attempts = deque(attempts)
        self._new: deque[DialParameters] = deque()

    def take(self, *, newcomers: bool = False) -> DialParameters | None:
        if self._new:
            return self._new.popleft()
        return self._attempts.popleft() if self._attempts and not newcomers else None

    def add(self, attempt: DialParameters) -> None:
        self._new.append(attempt)
        self.arrived.set()


def attempt(number: int) -> DialParameters:
    return choose(entry(number), "OSSH", SeededRng(1), number)


def attempts(count: int, *, head_start: bool = False) -> Prepared:
    """Return that many; the first one may have a head start."""
    return Prepared(replace(attempt(number), head_start=head_start and not number) for number in range(count))


# ---- the race, with scripted tunnels ----------------------------------------------------------------------

Script = Callable[[DialParameters], tuple[float, HeadraceError | None]]


class ScriptedTunnel(Tunnel):
    """Is connected after `delay` seconds, or fails then."""

    def __init__(self, attempt: DialParameters, delay: float, error: HeadraceError | None) -> None:
        identity = Identity.from_config(client_config())
        super().__init__(attempt, identity, SeededRng(1), lambda name, payload: None)
        self.delay, self.error = delay, error
        self.aborted_at: float | None = None

    async def connect(self) -> None:
        await asyncio.sleep(self.delay)
        if self.error is not None:
            raise self.error

    async def handshake(self) -> HandshakeResponse:
        return HandshakeResponse(client_region="handshake")

    def abort(self) -> None:
        if self.aborted_at is None:
            self.aborted_at = asyncio.get_running_loop().time()


class Race:
    """A race of scripted tunnels; `started` maps candidates to the times they were begun."""

    def __init__(self, script: Script, *, workers: int = 10, stagger: float = 0.0) -> None:
        self.script = script
        self.tunnels: dict[int, ScriptedTunnel] = {}
        self.started: dict[int, float] = {}
        self.failed: list[tuple[int, str]] = []
        self.establishment = Establishment(
            self._make,
            workers=workers,
            stagger=stagger,
            started=self._started,
            failed=lambda attempt, error: self.failed.append((attempt.candidate_number, str(error))),
        )

    def _make(self, attempt: DialParameters) -> Tunnel:
        tunnel = ScriptedTunnel(attempt, *self.script(attempt))
        self.tunnels[attempt.candidate_number] = tunnel
        return tunnel

    def _started(self, attempt: DialParameters) -> None:
        self.started[attempt.candidate_number] = asyncio.get_running_loop().time()

    async def run(self, count: int, *, head_start: bool = False) -> int | None:
        """Race; return the number of the winner."""
        outcome = await self.establishment.race(attempts(count, head_start=head_start))
        if outcome is None:
            return None
        assert isinstance(outcome[0], ScriptedTunnel)
        assert outcome[1].client_region == "handshake"
        assert outcome[0].aborted_at is None
        return outcome[0].dial_parameters.candidate_number

    @property
    def open(self) -> list[int]:
        """Tunnels that nobody has closed."""
        return [number for number, tunnel in self.tunnels.items() if tunnel.aborted_at is None]


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_the_first_good_one_wins_and_the_losers_are_closed_at_once() -> None:
    race = Race(lambda attempt: ([3.0, 0.5, 0.2, 9.0][attempt.candidate_number], None))
    assert await race.run(4) == 2
    assert now() == pytest.approx(0.2)
    assert race.open == [2]
    assert [race.tunnels[number].aborted_at for number in (0, 1, 3)] == pytest.approx([0.2] * 3)
    assert race.failed == []  # losing is no failure


async def test_no_more_are_tried_at_once_than_there_are_workers() -> None:
    race = Race(lambda attempt: (1.0, NetworkError("no")), workers=3)
    assert await race.run(8) is None
    assert race.started == {0: 0, 1: 0, 2: 0, 3: 1, 4: 1, 5: 1, 6: 2, 7: 2}
    assert [number for number, _ in race.failed] == list(range(8))
    assert race.open == []


async def test_a_winner_ends_the_race_before_the_rest_is_tried() -> None:
    race = Race(
        lambda attempt: (1.0, None if attempt.candidate_number == 1 else NetworkError("no")), workers=2
    )
    assert await race.run(100) == 1
    assert set(race.started) == {0, 1}


async def test_starts_are_staggered() -> None:
    race = Race(lambda attempt: (5.0, None), stagger=0.5)
    assert await race.run(4) == 0
    assert race.started == {0: 0, 1: 0.5, 2: 1.0, 3: 1.5}


async def test_a_quick_failure_does_not_make_the_next_start_sooner() -> None:
    race = Race(lambda attempt: (0.01, NetworkError("Connection refused")), stagger=0.5)
    assert await race.run(4) is None
    assert race.started == pytest.approx({0: 0, 1: 0.5, 2: 1.0, 3: 1.5})


async def test_staggered_starts_wait_for_a_worker_too() -> None:
    race = Race(lambda attempt: (2.0, NetworkError("no")), workers=2, stagger=0.5)
    assert await race.run(4) is None
    assert race.started == pytest.approx({0: 0, 1: 0.5, 2: 2.5, 3: 3.0})


@pytest.mark.parametrize(("takes", "winner", "begun"), [(0.8, 0, {0}), (1.05, 0, {0, 1}), (1.5, 1, {0, 1})])
async def test_the_server_used_last_has_a_head_start(takes: float, winner: int, begun: set[int]) -> None:
    race = Race(lambda attempt: (0.1 if attempt.candidate_number else takes, None))
    assert await race.run(2, head_start=True) == winner
    assert set(race.started) == begun
    assert now() == pytest.approx(min(takes, GRACE + 0.1))
    assert race.open == [winner]


async def test_a_head_start_is_over_with_a_failure() -> None:
    race = Race(lambda attempt: (0.3, None if attempt.candidate_number else NetworkError("no")), stagger=0.5)
    assert await race.run(3, head_start=True) == 1
    assert race.started == pytest.approx({0: 0, 1: 0.8})


async def test_a_head_start_holds_up_nobody_who_comes_later() -> None:
    race = Race(lambda attempt: (20.0 if attempt.head_start else 0.5, None))
    known = attempts(1, head_start=True)
    task = asyncio.create_task(race.establishment.race(known))
    await asyncio.sleep(5)
    known.add(attempt(1))
    assert await task is not None
    assert race.started == pytest.approx({0: 0, 1: 5})


async def test_of_two_winners_in_the_same_instant_one_is_kept() -> None:
    race = Race(lambda attempt: (1.0, None))
    winner = await race.run(10)
    assert winner is not None
    assert race.open == [winner]


async def test_whoever_is_learned_of_during_a_race_is_tried_at_once() -> None:
    race = Race(lambda attempt: (20.0 if attempt.candidate_number < 3 else 0.5, None))
    known = attempts(3)
    task = asyncio.create_task(race.establishment.race(known))
    for number in (3, 4):
        await asyncio.sleep(0.25)
        known.add(attempt(number))
    outcome = await task
    assert outcome is not None
    assert outcome[0].dial_parameters.candidate_number == 3
    assert race.started == pytest.approx({0: 0, 1: 0, 2: 0, 3: 0.25, 4: 0.5})
    assert race.open == [3]


async def test_whoever_is_learned_of_need_not_wait_for_those_who_hang() -> None:
    race = Race(lambda attempt: (20.0 if attempt.candidate_number < 8 else 0.5, None), workers=2)
    known = attempts(8)
    task = asyncio.create_task(race.establishment.race(known))
    await asyncio.sleep(0.5)
    known.add(attempt(8))
    assert await task is not None
    assert race.started == {0: 0, 1: 0, 8: 0.5}
    assert race.open == [8]


async def test_there_are_only_so_many_workers_for_whoever_is_learned_of() -> None:
    race = Race(lambda attempt: (1.0, NetworkError("no")), workers=2)
    known = attempts(2)
    task = asyncio.create_task(race.establishment.race(known))
    await asyncio.sleep(0.5)
    for number in range(2, 2 + SPARE + 2):
        known.add(attempt(number))
    assert await task is None
    assert race.started == {0: 0, 1: 0, **{2 + number: 0.5 for number in range(SPARE)}, 7: 1, 8: 1}


async def test_nobody_to_try() -> None:
    assert await Race(lambda attempt: (0.0, None)).run(0) is None


async def test_cancellation_closes_everything() -> None:
    race = Race(lambda attempt: (100.0, None), workers=5, stagger=1.0)
    task = asyncio.create_task(race.run(10))
    await asyncio.sleep(2.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert set(race.started) == {0, 1, 2}
    assert race.open == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelled_in_the_instant_of_winning_nothing_stays_open() -> None:
    """The timeout of an establishment may strike while the losers are being closed."""

    class Reluctant(ScriptedTunnel):
        async def connect(self) -> None:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                await asyncio.sleep(1)  # its end takes a while
                raise

    race = Race(lambda attempt: (0.5, None))
    race.establishment._make = lambda attempt: (
        race.tunnels.setdefault(1, Reluctant(attempt, 0, None))
        if attempt.candidate_number == 1
        else race._make(attempt)
    )
    task = asyncio.create_task(race.run(2))
    await asyncio.sleep(0.75)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(2)
    assert race.open == []


@pytest.mark.parametrize("turns", range(8))
async def test_whenever_the_winner_is_cancelled_it_is_returned_or_closed(turns: int) -> None:
    race = Race(lambda attempt: (0.5, None))
    task = asyncio.create_task(race.run(2))
    await asyncio.sleep(0.5)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    try:
        returned = [await task]
    except asyncio.CancelledError:
        returned = []
    assert race.open == returned


async def test_without_a_handshake_the_login_is_enough() -> None:
    class Unanswering(ScriptedTunnel):
        async def handshake(self) -> HandshakeResponse:
            pytest.fail("DisableApi says not to")

    establishment = Establishment(lambda attempt: Unanswering(attempt, 0.1, None), handshake=False)
    outcome = await establishment.race(attempts(1))
    assert outcome is not None
    assert outcome[1] == HandshakeResponse()


# ---- against real sessions --------------------------------------------------------------------------------


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def server(network: Network, tmp_path: Path) -> MemoryServer:
    return MemoryServer(network, tmp_path)


async def fate(tunnel: Tunnel, network: Network) -> HeadraceError:
    """Let the tunnel race alone; it must lose, and leave no connection behind. Return why."""
    errors: list[HeadraceError] = []
    establishment = Establishment(lambda attempt: tunnel, failed=lambda attempt, error: errors.append(error))
    assert await establishment.race(Prepared([tunnel.dial_parameters])) is None
    assert [wire for wire in network.wires[::2] if not wire.is_closing()] == []
    assert tunnel.ended.done() or not network.wires
    (error,) = errors
    return error


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


async def test_a_refused_handshake_loses(
    network: Network, server: MemoryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "handshake_parameters", lambda identity, dial, rng: {})
    error = await fate(make_tunnel(server.entry), network)
    assert str(error) == "the server refused the handshake"


async def test_a_server_that_accepts_and_says_nothing(network: Network, server: MemoryServer) -> None:
    silent = Destination()
    network.places[server.address, 4001] = lambda: silent
    error = await fate(make_tunnel(server.entry), network)
    assert isinstance(error, HandshakeTimeout)
    assert now() == pytest.approx(LOGIN_TIMEOUT)
    await settle()
    assert silent.lost


async def test_an_address_that_swallows_everything(network: Network, server: MemoryServer) -> None:
    network.places[server.address, 4001] = HANGS
    error = await fate(make_tunnel(server.entry), network)
    assert isinstance(error, ConnectTimeout)
    assert now() == pytest.approx(CONNECT_TIMEOUT)


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
    network: Network, server: MemoryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tunnel = make_tunnel(server.entry)
    await tunnel.connect()
    network.wires[0].stuck = True  # nothing that we say arrives any more
    with pytest.raises(HandshakeTimeout, match="psiphon-handshake"):
        await tunnel.handshake()
    assert now() == pytest.approx(20)
    tunnel.abort()


async def test_many_servers_one_is_good(network: Network, server: MemoryServer) -> None:
    """Black holes, refusals, silence and a slow good one: it is kept, all other connections are closed."""

    def bad(number: int, place: object) -> DialParameters:
        host = f"198.51.100.{number}"
        network.places[host, 4001] = place  # type: ignore[assignment]
        return replace(choose(server.entry, "OSSH", SeededRng(number)), host=host)

    good = choose(server.entry, "OSSH", SeededRng(1))
    network.delays[server.address, 4001] = 0.3
    silent = [Destination() for _ in range(3)]
    tried = [
        *(bad(number, HANGS) for number in range(3)),
        *(bad(number, NetworkError("Connection refused")) for number in range(3, 6)),
        *(bad(number + 6, lambda number=number: silent[number]) for number in range(3)),
        good,
    ]
    identity = Identity.from_config(client_config())
    establishment = Establishment(
        lambda attempt: Tunnel(attempt, identity, SeededRng(4), lambda name, payload: None)
    )
    outcome = await establishment.race(Prepared(tried))
    assert outcome is not None
    assert outcome[0].dial_parameters is good
    assert now() == pytest.approx(0.3, abs=0.1)
    await settle()
    assert all(place.lost for place in silent)
    assert len(network.open) == 2  # the winner's connection has two ends
    outcome[0].close()
    await settle()
    assert network.open == []
