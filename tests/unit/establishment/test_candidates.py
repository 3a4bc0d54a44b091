"""The attempts of an establishment: who is tried, in which order, over what, and who is left out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from tests.unit.client.dialable import entry

from headrace.base.rng import SeededRng
from headrace.client.servers import FixedServers
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.candidates import GLANCES, Candidates, Nothing
from headrace.establishment.dial_parameters import DialParameters, choose
from headrace.establishment.dial_settings import DialSettings
from headrace.establishment.replay import MemoryRecords, Replay


class Known(FixedServers):
    """Servers in the order given; `later` become known meanwhile. Says who was asked for."""

    def __init__(self, entries: Iterable[ServerEntry], later: Iterable[ServerEntry] = ()) -> None:
        super().__init__(entries)
        self.later = list(later)
        self.loaded = 0

    def entries(self, rng: Any, front: Sequence[str] = (), region: str = "") -> Iterator[ServerEntry]:
        for found in super().entries(InOrder(1), front, region):
            self.loaded += 1
            yield found

    def pick(self, addresses: Sequence[str], region: str = "") -> Iterator[ServerEntry]:
        known = FixedServers([*self.everybody(), *self.later])
        yield from known.pick(addresses, region)


class InOrder(SeededRng):
    def shuffled(self, items: Sequence[Any]) -> list[Any]:
        return list(items)


class Looking:
    """An establishment among `entries`, and what it skipped."""

    def __init__(
        self,
        entries: Iterable[ServerEntry],
        later: Iterable[ServerEntry] = (),
        *,
        seed: int = 1,
        **settings: Any,
    ) -> None:
        self.skipped: list[str] = []
        self.intensive = True
        self.servers = Known(entries, later)
        self.records = MemoryRecords()
        choices = DialSettings(**settings)
        self.replay = Replay(self.records, choices, SeededRng(3), now=lambda: 0.0)
        self.candidates = Candidates(
            self.servers,
            choices,
            SeededRng(seed),
            self.replay,
            skip=self.skipped.append,
            exclude_intensive=lambda: not self.intensive,
        )
        self.candidates.begin_round(first=True)

    def worked(self, *entries: ServerEntry) -> None:
        for number, each in enumerate(entries):
            self.replay.succeeded(choose(each, "OSSH", SeededRng(number)))

    def rest(self, busy: Sequence[str] = ()) -> list[DialParameters]:
        """Take all that is left of the round."""
        found = []
        while (attempt := self.candidates.take(busy)) is not Nothing.NOBODY:
            if isinstance(attempt, DialParameters):
                found.append(attempt)
        return found

    def names(self) -> list[str]:
        return [tag(attempt) for attempt in self.rest()]


def tag(attempt: DialParameters | Nothing) -> str:
    assert isinstance(attempt, DialParameters)
    return attempt.entry.effective_tag


def test_before_the_first_round_there_is_nobody() -> None:
    choices = DialSettings()
    replay = Replay(MemoryRecords(), choices, SeededRng(1), now=lambda: 0.0)
    candidates = Candidates(FixedServers([entry(1)]), choices, SeededRng(1), replay)
    assert candidates.take() is Nothing.NOBODY


def test_each_entry_is_an_attempt_numbered_over_all_rounds() -> None:
    looking = Looking(entry(number) for number in (3, 1, 2))
    found = looking.rest()
    assert [tag(attempt) for attempt in found] == ["tag 3", "tag 1", "tag 2"]
    assert [attempt.candidate_number for attempt in found] == [1, 2, 3]
    assert (looking.candidates.taken, looking.candidates.seen) == (3, 3)
    looking.candidates.begin_round(first=False)
    assert looking.candidates.seen == 0
    assert [attempt.candidate_number for attempt in looking.rest()] == [4, 5, 6]


def test_entries_are_asked_for_one_at_a_time() -> None:
    looking = Looking(entry(number) for number in range(100))
    looking.candidates.take()
    assert looking.servers.loaded == 1


def test_only_the_region_that_is_asked_for() -> None:
    entries = [entry(1, region="CH"), entry(2, region="SE"), entry(3), entry(4, region="CH")]
    assert Looking(entries, region="CH").names() == ["tag 1", "tag 4"]
    assert Looking(entries, region="FR").names() == []
    looking = Looking(entries, [entry(5, region="SE"), entry(6, region="CH")], region="CH")
    looking.candidates.add(["192.0.2.5", "192.0.2.6"])
    assert looking.names() == ["tag 6", "tag 1", "tag 4"]


def test_each_usable_protocol_gets_its_turn_and_the_limit_is_kept() -> None:
    entries = [entry(number) for number in range(40)]
    assert {attempt.protocol for attempt in Looking(entries).rest()} == {"SSH", "OSSH"}
    limited = Looking(entries, limit_protocols=("SSH",)).rest()
    assert {(attempt.protocol, attempt.port) for attempt in limited} == {("SSH", 22)}


# ---- who is left out --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"capabilities": ["QUIC", "UNFRONTED-MEEK"]}, "supports no tunnel protocol"),
        ({"capabilities": []}, "supports no tunnel protocol"),
        ({"sshObfuscatedPort": None}, "no usable port"),
        ({"sshObfuscatedPort": 65536}, "no usable port"),
        ({"sshObfuscatedKey": None}, "no sshObfuscatedKey"),
        ({"sshHostKey": None}, "no sshHostKey"),
        ({"sshHostKey": "not base64!"}, "not base64"),
        ({"ipAddress": "server.example"}, "not an IP address"),
        ({"ipAddress": "x" * 70}, "not an IP address"),
        ({"ipAddress": None}, "not an IP address"),
    ],
)
def test_what_cannot_be_dialled_is_skipped_with_the_reason(fields: dict[str, object], reason: str) -> None:
    looking = Looking([entry(2, **fields), entry(1)], limit_protocols=("OSSH",))
    assert looking.names() == ["tag 1"]
    assert len(looking.skipped) == 1
    assert reason in looking.skipped[0]
    assert "192.0.2" not in looking.skipped[0]


def test_servers_that_few_know_of_are_kept_from_upstream_proxies() -> None:
    entries = [entry(1, localSource="DISCOVERY"), entry(2, localSource="EMBEDDED")]
    looking = Looking(entries, proxied=True)
    assert looking.names() == ["tag 2"]
    assert looking.skipped == ["the server must not become known to upstream proxies"]
    assert Looking(entries).names() == ["tag 1", "tag 2"]


def test_servers_that_we_are_connected_to_are_left_out() -> None:
    looking = Looking(entry(number) for number in range(4))
    assert [tag(attempt) for attempt in looking.rest(busy=["192.0.2.1", "192.0.2.3"])] == ["tag 0", "tag 2"]
    assert looking.skipped == []
    assert looking.candidates.seen == 4


def test_a_long_search_for_somebody_to_dial_lets_others_have_their_turn() -> None:
    useless = [entry(number % 256, capabilities=["QUIC"]) for number in range(1000)]
    looking = Looking([*useless, entry(2)])
    turns = []
    while (attempt := looking.candidates.take()) is Nothing.LATER:
        turns.append(looking.candidates.seen)
    assert tag(attempt) == "tag 2"
    assert turns == list(range(GLANCES, 1001, GLANCES))
    assert looking.candidates.take() is Nothing.NOBODY


def test_what_is_not_wanted_for_this_moment_is_asked_about_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def protocols(self: ServerEntry, limit: object, *, exclude_intensive: bool, **rest: object) -> list[str]:
        asked.append(exclude_intensive)
        return ["OSSH"]

    monkeypatch.setattr(ServerEntry, "supported_protocols", protocols)
    looking = Looking([entry(1), entry(2)])
    looking.candidates.take()
    looking.intensive = False
    looking.candidates.take()
    assert asked == [False, True]


# ---- in which order ---------------------------------------------------------------------------------------


def test_whoever_was_used_last_is_ahead_and_then_those_that_worked() -> None:
    entries = [entry(number) for number in range(6)]
    looking = Looking(entries)
    looking.servers.keep_first(entries[4], "")
    looking.worked(entries[2], entries[5])
    looking.candidates.begin_round(first=True)
    assert looking.candidates.moved_to_front == 3
    found = looking.rest()
    assert [attempt.head_start for attempt in found] == [True] + [False] * 5
    assert tag(found[0]) == "tag 4"
    assert {tag(attempt) for attempt in found[1:3]} == {"tag 2", "tag 5"}
    assert [attempt.is_replay for attempt in found] == [False, True, True, False, False, False]
    looking.candidates.begin_round(first=False)
    assert looking.candidates.moved_to_front == 0
    again = looking.rest()
    assert [tag(attempt) for attempt in again] == [f"tag {number}" for number in range(6)]
    assert not any(attempt.head_start for attempt in again)


def test_the_head_start_can_be_left_out() -> None:
    entries = [entry(number) for number in range(3)]
    looking = Looking(entries)
    looking.servers.keep_first(entries[2], "")
    looking.candidates.begin_round(first=True, favourite=False)
    found = looking.rest()
    assert [tag(attempt) for attempt in found] == ["tag 0", "tag 1", "tag 2"]
    assert not any(attempt.head_start for attempt in found)


def test_a_replay_counts_as_a_head_start_too() -> None:
    looking = Looking([entry(1), entry(2)])
    looking.servers.keep_first(entry(2), "")
    looking.worked(entry(2))
    looking.candidates.begin_round(first=True)
    attempt = looking.candidates.take()
    assert isinstance(attempt, DialParameters)
    assert attempt.head_start and attempt.is_replay and attempt.protocol == "OSSH"


# ---- the limit for the first attempts ---------------------------------------------------------------------


def test_the_first_attempts_have_a_limit_of_their_own_and_those_passed_over_follow() -> None:
    entries = [entry(0, capabilities=["SSH"]), *(entry(number) for number in range(1, 4))]
    looking = Looking(
        entries, limit_protocols=("SSH",), initial_limit_protocols=("OSSH",), initial_limit_candidates=2
    )
    found = looking.rest()
    assert [attempt.protocol for attempt in found] == ["OSSH", "OSSH", "SSH", "SSH"]
    assert [tag(attempt) for attempt in found] == ["tag 1", "tag 2", "tag 0", "tag 3"]
    assert looking.skipped == []
    looking.candidates.begin_round(first=False)
    assert {attempt.protocol for attempt in looking.rest()} == {"SSH"}


@pytest.mark.parametrize("fitting", [0, 1])
def test_the_first_limit_ends_when_everybody_it_allows_was_tried(fitting: int) -> None:
    entries = [entry(number, capabilities=["SSH"]) for number in range(3)]
    entries += [entry(9, capabilities=["OSSH"])] * fitting
    looking = Looking(entries, initial_limit_protocols=("OSSH",), initial_limit_candidates=10)
    found = looking.rest()
    assert [attempt.protocol for attempt in found] == ["OSSH"] * fitting + ["SSH"] * 3


def test_whom_neither_limit_allows_is_skipped() -> None:
    looking = Looking(
        [entry(1, capabilities=["OSSH"])],
        limit_protocols=("SSH",),
        initial_limit_protocols=("SSH",),
        initial_limit_candidates=5,
    )
    assert looking.names() == []
    assert len(looking.skipped) == 1


def test_a_record_waits_for_the_first_attempts_to_be_over() -> None:
    entries = [entry(number) for number in range(3)]
    looking = Looking(entries, initial_limit_protocols=("SSH",), initial_limit_candidates=1)
    looking.worked(*entries)
    looking.candidates.begin_round(first=True)
    assert [(attempt.protocol, attempt.is_replay) for attempt in looking.rest()] == [
        ("SSH", False),
        ("OSSH", True),
        ("OSSH", True),
    ]


# ---- newcomers --------------------------------------------------------------------------------------------


def test_what_arrives_meanwhile_comes_next_and_once() -> None:
    looking = Looking([entry(number) for number in range(4)], [entry(8)])
    looking.candidates.take()
    looking.candidates.add(["192.0.2.8", "192.0.2.2", "192.0.2.99", "192.0.2.8"])
    names = looking.names()
    assert set(names[:2]) == {"tag 2", "tag 8"}
    assert names[2:] == ["tag 1", "tag 3"]


def test_newcomers_alone_may_be_asked_for() -> None:
    looking = Looking([entry(0), entry(1)], [entry(8)])
    assert looking.candidates.take(newcomers=True) is Nothing.NOBODY
    looking.candidates.add(["192.0.2.8"])
    assert tag(looking.candidates.take(newcomers=True)) == "tag 8"
    assert looking.candidates.take(newcomers=True) is Nothing.NOBODY
    assert looking.names() == ["tag 0", "tag 1"]


def test_newcomers_are_tried_in_no_order_that_others_share() -> None:
    later = [entry(number) for number in range(10, 14)]
    orders = set()
    for seed in range(30):
        looking = Looking([], later, seed=seed)
        looking.candidates.add([each.ip_address for each in later])
        orders.add(tuple(looking.names()))
    assert len(orders) > 10


def test_what_arrives_after_the_end_is_taken_all_the_same() -> None:
    looking = Looking([], [entry(1)])
    assert looking.candidates.take() is Nothing.NOBODY
    looking.candidates.add(["192.0.2.1"])
    assert looking.names() == ["tag 1"]


def test_newcomers_whose_turn_has_not_come_are_first_in_the_next_round() -> None:
    looking = Looking([entry(0), entry(1)], [entry(8)])
    looking.candidates.add(["192.0.2.8", "192.0.2.1"])
    looking.candidates.begin_round(first=False)
    names = looking.names()
    assert set(names[:2]) == {"tag 1", "tag 8"}
    assert names[2:] == ["tag 0"]
    looking.candidates.begin_round(first=False)
    assert looking.names() == ["tag 0", "tag 1"]
