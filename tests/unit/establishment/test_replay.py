"""Doing again what worked."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.client.dialable import entry

from headrace.base.rng import Rng, SeededRng
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import DialParameters, choose
from headrace.establishment.dial_settings import DialSettings
from headrace.establishment.replay import MemoryRecords, Replay
from headrace.establishment.replay_record import ReplayRecord

DAY = 24 * 3600.0
NOW = 1_700_000_000.0
BOTH = ["SSH", "OSSH"]
ADDRESS = entry(1).ip_address


class Life:
    """What was kept, and a client that looks at it `later` seconds later, under other circumstances."""

    def __init__(self, attempt: DialParameters | None = None, *, state: str = "state") -> None:
        self.records = MemoryRecords()
        self.network = "WIFI-home"
        self.attempt = attempt or choose(entry(1), "OSSH", SeededRng(1), network_id=self.network)
        self.client(state=state).succeeded(self.attempt)

    def client(
        self, later: float = 0.0, *, state: str = "state", rng: Rng | None = None, **settings: Any
    ) -> Replay:
        return Replay(
            self.records,
            DialSettings(**settings),
            rng or SeededRng(5),
            now=lambda: NOW + later,
            network_id=lambda: self.network,
            config_state=state,
        )

    @property
    def kept(self) -> bool:
        return self.records.get(ADDRESS, "WIFI-home") is not None

    @property
    def record(self) -> ReplayRecord:
        data = self.records.get(ADDRESS, "WIFI-home")
        assert data is not None
        return ReplayRecord.decode(data)


def test_what_worked_is_done_again_in_the_same_way() -> None:
    life = Life()
    again = life.client(3600).choose(entry(1), BOTH, 7)
    assert again is not None
    first = life.attempt
    assert (again.protocol, again.padding, again.seed) == (first.protocol, first.padding, first.seed)
    assert again.identification == first.identification
    assert again.latency_multiplier == first.latency_multiplier
    assert (again.candidate_number, again.is_replay, again.network_id) == (7, True, "WIFI-home")
    assert life.client().recent() == [ADDRESS]


def test_it_is_known_for_this_network_only() -> None:
    life = Life()
    life.network = "WIFI-cafe"
    assert life.client().choose(entry(1), BOTH) is None
    assert life.client().recent() == []
    assert life.kept


def test_a_network_left_meanwhile_keeps_what_was_learned_there() -> None:
    life = Life()
    again = life.client().choose(entry(1), BOTH)
    assert again is not None
    life.network = "MOBILE-1"
    life.client(60).succeeded(again)
    assert life.record.last_used == NOW + 60
    assert life.records.addresses("MOBILE-1") == []


@pytest.mark.parametrize(
    ("circumstances", "offered"),
    [
        ({"later": DAY}, entry(1)),
        ({"later": 10 * DAY}, entry(1)),
        ({"replay_ttl": 0.0}, entry(1)),
        ({"later": 61, "replay_ttl": 60.0}, entry(1)),
        ({"state": "another"}, entry(1)),
        ({}, entry(1, configurationVersion=9)),
        ({}, entry(1, localTimestamp="2024-06-01T00:00:00Z")),
    ],
)
def test_what_is_not_good_any_more_is_dropped(circumstances: dict[str, Any], offered: ServerEntry) -> None:
    life = Life()
    assert life.client(**circumstances).choose(offered, BOTH) is None
    assert not life.kept


def test_what_no_limit_allows_any_more_is_dropped() -> None:
    life = Life()
    assert life.client(limit_protocols=("SSH",)).choose(entry(1), ["SSH"]) is None
    assert not life.kept


@pytest.mark.parametrize(
    ("number", "circumstances"),
    [
        (11, {}),
        (1, {"disable_replay": True}),
        (1, {"replay_candidates": 0}),
        (4, {"replay_candidates": 3}),
        (1, {"initial_limit_protocols": ("SSH",), "initial_limit_candidates": 5}),
    ],
)
def test_what_is_of_no_use_for_now_is_left(number: int, circumstances: dict[str, Any]) -> None:
    life = Life()
    assert life.client(**circumstances).choose(entry(1), ["SSH"], number) is None
    assert life.kept


def test_all_candidates_may_be_replays() -> None:
    assert Life().client(replay_candidates=-1).choose(entry(1), BOTH, 10_000) is not None


@pytest.mark.parametrize("later", [DAY - 1, 0.0, -3600.0, -400 * DAY, -NOW])
def test_a_record_from_the_future_is_as_good_as_a_new_one(later: float) -> None:
    assert Life().client(later).choose(entry(1), BOTH) is not None


def test_serving_again_makes_it_last_longer() -> None:
    life = Life()
    again = life.client(20 * 3600).choose(entry(1), BOTH)
    assert again is not None
    life.client(20 * 3600).succeeded(again)
    assert life.client(40 * 3600).choose(entry(1), BOTH) is not None


def test_a_changed_configuration_may_be_ignored_and_stays_changed() -> None:
    life = Life(state="old")
    ignoring = {"state": "new", "replay_ignore_changed_probability": 1.0}
    again = life.client(60, **ignoring).choose(entry(1), BOTH)  # type: ignore[arg-type]
    assert again is not None and again.replay_ignored_change
    life.client(60, state="new").succeeded(again)
    assert (life.record.config_state, life.record.last_used) == ("old", NOW + 60)
    life.records.delete(ADDRESS, "WIFI-home")
    life.client(60, state="new").succeeded(again)
    assert not life.kept


def test_a_failed_replay_is_dropped_as_chance_has_it() -> None:
    dropped = 0
    for seed in range(200):
        life = Life()
        client = life.client(rng=SeededRng(seed))
        again = client.choose(entry(1), BOTH)
        assert again is not None
        client.failed(again)
        dropped += not life.kept
    assert 70 < dropped < 130


@pytest.mark.parametrize(("retained", "kept"), [(1.0, True), (0.0, False)])
def test_the_chance_can_be_set(retained: float, kept: bool) -> None:
    life = Life()
    client = life.client(replay_retain_failed_probability=retained)
    again = client.choose(entry(1), BOTH)
    assert again is not None
    client.failed(again)
    assert life.kept == kept


def test_a_fresh_failure_drops_nothing() -> None:
    life = Life()
    life.client(replay_retain_failed_probability=0.0).failed(life.attempt)
    assert life.kept


def test_without_replays_what_works_is_kept_all_the_same() -> None:
    life = Life()
    life.records.delete(ADDRESS, "WIFI-home")
    life.client(disable_replay=True).succeeded(life.attempt)
    assert life.kept


def test_nothing_is_kept_when_it_would_never_be_used() -> None:
    life = Life()
    life.records.delete(ADDRESS, "WIFI-home")
    life.client(replay_ttl=0.0).succeeded(life.attempt)
    assert not life.kept


def test_it_can_be_forgotten() -> None:
    life = Life()
    life.client().forget(ADDRESS)
    assert not life.kept
    life.client().forget(ADDRESS)


@pytest.mark.parametrize("spoil", [lambda data: b"", lambda data: data[:-9], lambda data: b"\0" * 999])
def test_a_damaged_record_is_dropped(spoil: Callable[[bytes], bytes]) -> None:
    life = Life()
    life.records.put(ADDRESS, "WIFI-home", spoil(life.record.encode()))
    assert life.client().choose(entry(1), BOTH) is None
    assert not life.kept
