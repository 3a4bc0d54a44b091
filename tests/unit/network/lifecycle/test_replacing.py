"""Fresh servers take the place of older ones, which go on for those who know them."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.stopped_clock import StoppedClock
from tests.unit.network.networks import build_network

from headrace.base.errors import OperatorError
from headrace.network.book import Book, Change
from headrace.network.lifecycle import replacing
from headrace.network.lifecycle.creation import Machine, record_test
from headrace.network.lifecycle.replacing import counts_of, replace
from headrace.network.model import Server
from headrace.network.strategy.roles import Role, discoverable, roles
from headrace.ssh.host_keys import HostKey

KEY = HostKey.generate("ed25519")
PERMANENT, PROPAGATION, DISCOVERY, OSL = (f"198.18.0.{number}" for number in (1, 2, 3, 4))


@pytest.fixture(autouse=True)
def quick_host_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """RSA keys take long, and are not what this is about."""
    monkeypatch.setattr(HostKey, "generate", lambda *_kind: KEY)


def machines(count: int) -> list[Machine]:
    return [Machine(address=f"203.0.113.{number + 1}", region="SE") for number in range(count)]


def test_as_many_are_made_as_the_channel_says(book: Book) -> None:
    told: list[tuple[int, int | None]] = []
    with book.change("ann", "test") as change:
        channel = change.channel("channel-0")
        channel.new_propagation, channel.new_discovery = 2, 1
        assert counts_of(channel) == {Role.OSL: 0, Role.DISCOVERY: 1, Role.PROPAGATION: 2}
        done = replace(change, channel, machines(3), progress=lambda *both: told.append(both))
        made = [roles(server) for server in done.created]
    assert made == [{Role.DISCOVERY}, {Role.PROPAGATION}, {Role.PROPAGATION}]
    assert told[0] == (0, 3) and told[-1] == (3, 3)
    with book.view() as view:
        assert len(view.servers()) == 7
        assert not any(view.server(machine.address).published for machine in machines(3))


def test_older_propagation_servers_step_back_and_go_on(book: Book) -> None:
    _later(book)
    with book.change("ann", "test") as change:
        change.server(PERMANENT).is_embedded = True
        done = replace(change, change.channel("channel-0"), machines(2), {Role.PROPAGATION: 2})
        assert [server.address for server in done.to_step_back] == [PROPAGATION]
        old = change.server(PROPAGATION)
        assert not record_test(change, done.created[0], ["it is down"])
        assert roles(old) == {Role.PROPAGATION}  # users have it for as long as there is none else
        assert record_test(change, done.created[0], [])
        assert done.created[1].is_embedded
        assert roles(old) == {Role.RETAINED} and old.published
        assert change.server(PERMANENT).is_embedded


def test_other_channels_keep_theirs(tmp_path: Path) -> None:
    with (
        build_network(tmp_path, servers_per_role=1, channels=2) as book,
        book.change("ann", "test") as change,
    ):
        other = change.channel("channel-1")
        replace(change, change.channel("channel-0"), machines(1), {Role.PROPAGATION: 1})
        assert [server for server in change.all(Server, Server.channel_id == other.id) if server.is_embedded]


def test_ranges_end_when_those_of_the_new_ones_begin(book: Book) -> None:
    _later(book)
    with book.change("ann", "test") as change:
        done = replace(
            change, change.channel("channel-0"), machines(1), {Role.DISCOVERY: 1}, cut_discovery=True
        )
        old, new = change.server(DISCOVERY), done.created[0]
        assert list(done.to_step_back) == [old]
        record_test(change, new, [])
        assert old.discovery_end == new.discovery_start
        assert discoverable(old, change.now)


def test_ranges_stay_unless_they_are_to_be_cut(book: Book) -> None:
    with book.change("ann", "test") as change:
        end = change.server(DISCOVERY).discovery_end
        done = replace(change, change.channel("channel-0"), machines(1), {Role.DISCOVERY: 1})
        record_test(change, done.created[0], [])
        assert not done.to_step_back and change.server(DISCOVERY).discovery_end == end


def _later(book: Book) -> None:
    """Let a day pass: servers that are made now are newer than those there are."""
    assert isinstance(book.clock, StoppedClock)
    book.clock.now += 86_400


def _shift(change: Change, start: timedelta, end: timedelta) -> None:
    server = change.server(DISCOVERY)
    server.discovery_start, server.discovery_end = change.now + start, change.now + end


@pytest.mark.parametrize("days", [(-9, -2), (2, 9)])
def test_ranges_that_are_not_open_are_not_cut(book: Book, days: tuple[int, int]) -> None:
    with book.change("ann", "test") as change:
        _shift(change, *(timedelta(days=day) for day in days))
    with book.change("ann", "test") as change:
        counts = {Role.DISCOVERY: 1}
        done = replace(change, change.channel("channel-0"), machines(1), counts, cut_discovery=True)
        assert not done.to_step_back


def test_obfuscated_lists_are_those_that_are_given(book: Book) -> None:
    with book.change("ann", "test") as change:
        done = replace(change, change.channel("channel-0"), machines(1), {Role.OSL: 1}, osl_ids=["ab"])
        assert [server.osl_ids for server in done.created] == [["ab"]]
        assert replacing.ORDER[0] == Role.OSL


def test_too_few_machines_or_nothing_to_make_are_errors(book: Book) -> None:
    with book.change("ann", "test") as change:
        channel = change.channel("channel-0")
        with pytest.raises(OperatorError, match="2 servers are to be made, and there are 1 machines"):
            replace(change, channel, machines(1), {Role.PROPAGATION: 2})
        with pytest.raises(OperatorError, match="asks for no new servers"):
            replace(change, channel, machines(1))
        assert not change.settle()
