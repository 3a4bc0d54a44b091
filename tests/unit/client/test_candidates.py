"""Candidates of a round: who is tried, in which order, over which protocol, and who is left out."""

import asyncio
from collections.abc import Callable, Iterable

import pytest
from tests.unit.client.dialable import entry

from headrace.base.rng import SeededRng
from headrace.client.candidates import GLANCES, Candidates
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import DialParameters

pytestmark = pytest.mark.virtual_time


def candidates(
    entries: Iterable[ServerEntry],
    limit: Iterable[str] = (),
    skip: Callable[[str], None] = pytest.fail,
    until: float | None = None,
) -> Candidates:
    return Candidates(entries, list(limit), SeededRng(1), skip, until=until)


def all_of(found: Candidates) -> list[DialParameters]:
    return list(iter(found.take, None))


def names(found: Candidates) -> list[str]:
    return [attempt.entry.effective_tag for attempt in all_of(found)]


async def test_each_entry_is_an_attempt_in_the_order_given() -> None:
    found = candidates(entry(number) for number in (3, 1, 2))
    assert names(found) == ["tag 3", "tag 1", "tag 2"]
    assert found.take() is None
    assert found.taken == 3


async def test_entries_are_asked_for_one_at_a_time() -> None:
    asked: list[int] = []

    def entries() -> Iterable[ServerEntry]:
        for number in range(100_000):
            asked.append(number)
            yield entry(number % 256)

    candidates(entries()).take()
    assert asked == [0]


async def test_attempts_are_numbered_in_the_order_they_are_made() -> None:
    entries = [entry(1), entry(2, capabilities=["QUIC"]), entry(3), entry(4)]
    found = candidates(entries, skip=lambda reason: None)
    assert [attempt.candidate_number for attempt in all_of(found)] == [1, 2, 3]


async def test_each_usable_protocol_gets_its_turn_and_the_limit_is_kept() -> None:
    entries = [entry(number) for number in range(40)]
    assert {attempt.protocol for attempt in all_of(candidates(entries))} == {"SSH", "OSSH"}
    limited = all_of(candidates(entries, ["SSH"]))
    assert {(attempt.protocol, attempt.port) for attempt in limited} == {("SSH", 22)}


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
async def test_what_cannot_be_dialled_is_skipped_with_the_reason(
    fields: dict[str, object], reason: str
) -> None:
    skipped: list[str] = []
    assert names(candidates([entry(2, **fields), entry(1)], ["OSSH"], skipped.append)) == ["tag 1"]
    assert len(skipped) == 1
    assert reason in skipped[0]


@pytest.mark.parametrize(
    ("source", "allowed"),
    [("EMBEDDED", True), ("REMOTE", True), ("TARGET", True), ("DISCOVERY", False), ("OBFUSCATED", False)],
)
async def test_servers_that_few_know_of_are_kept_from_upstream_proxies(source: str, allowed: bool) -> None:
    skipped: list[str] = []
    entries = [entry(1, localSource=source), entry(2, localSource=source, allowUpstreamProxy=True)]
    found = Candidates(entries, ["OSSH"], SeededRng(1), skipped.append, proxied=True)
    assert names(found) == (["tag 1", "tag 2"] if allowed else ["tag 2"])
    assert len(skipped) == (not allowed)
    assert len(names(Candidates(entries, ["OSSH"], SeededRng(1), pytest.fail))) == 2


async def test_a_long_search_for_somebody_to_dial_lets_others_have_their_turn() -> None:
    asked = 0

    def entries() -> Iterable[ServerEntry]:
        nonlocal asked
        for _ in range(1000):
            asked += 1
            yield entry(1, capabilities=["QUIC"])
        yield entry(2)

    found = candidates(entries(), skip=lambda reason: None)
    turns = []
    while (attempt := found.take()) is None and found.arrived.is_set():
        found.arrived.clear()
        turns.append(asked)
    assert attempt is not None
    assert attempt.entry.effective_tag == "tag 2"
    assert turns == list(range(GLANCES, 1001, GLANCES))
    assert found.take() is None
    assert not found.arrived.is_set()


async def test_what_arrives_meanwhile_comes_next_and_is_announced() -> None:
    found = candidates(entry(number) for number in range(4))
    found.take()
    assert not found.arrived.is_set()
    found.add([entry(8), entry(9)])
    assert found.arrived.is_set()
    assert names(found) == ["tag 8", "tag 9", "tag 1", "tag 2", "tag 3"]


async def test_newcomers_alone_may_be_asked_for() -> None:
    found = candidates(entry(number) for number in range(2))
    assert found.take(newcomers=True) is None
    found.add([entry(8)])
    attempt = found.take(newcomers=True)
    assert attempt is not None
    assert attempt.entry.effective_tag == "tag 8"
    assert found.take(newcomers=True) is None
    assert names(found) == ["tag 0", "tag 1"]


async def test_what_arrives_after_the_end_is_taken_all_the_same() -> None:
    found = candidates([])
    assert found.take() is None
    found.add([entry(1)])
    assert names(found) == ["tag 1"]


async def test_a_round_that_lasted_too_long_is_left_but_for_what_is_new() -> None:
    found = candidates((entry(number) for number in range(4)), until=asyncio.get_running_loop().time() + 60)
    await asyncio.sleep(60)
    assert found.take() is not None
    await asyncio.sleep(1)
    assert found.take() is None
    found.add([entry(9)])
    assert names(found) == ["tag 9"]
