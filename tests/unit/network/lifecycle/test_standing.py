"""Servers come and go in the ways that are allowed, and leave no secrets behind."""

from datetime import timedelta

import pytest
from tests.stopped_clock import StoppedClock
from tests.unit.network.networks import NOW

from headrace.base.errors import OperatorError
from headrace.network.book import Book, Change
from headrace.network.lifecycle.standing import (
    Removed,
    destroyed,
    drain,
    forget_addresses,
    move,
    pause,
    remove,
    restore,
    swap_address,
)
from headrace.network.model import LOCAL, Host, Server, Status

FIRST = "198.18.0.1"  # the permanent server
ALLOWED = {
    ("new", "installed"),
    ("new", "removing"),
    ("installed", "active"),
    ("installed", "removing"),
    ("active", "paused"),
    ("active", "draining"),
    ("active", "removing"),
    ("paused", "active"),
    ("paused", "draining"),
    ("paused", "removing"),
    ("draining", "active"),
    ("draining", "removing"),
    ("removing", "gone"),
}


def later(book: Book, days: int) -> None:
    clock = book.clock
    assert isinstance(clock, StoppedClock)
    clock.now = NOW + timedelta(days=days).total_seconds()


@pytest.mark.parametrize("to", list(Status))
@pytest.mark.parametrize("at", list(Status))
def test_only_the_ways_of_a_life_are_open(at: Status, to: Status) -> None:
    host = Host(name="machine", status=at)
    if (at, to) in ALLOWED:
        assert move(host, to) and host.status == to
    elif at == to:
        assert not move(host, to)
    else:
        with pytest.raises(OperatorError, match=f"machine is {at}, and cannot become {to}; it can become"):
            move(host, to)
        assert host.status == at


def test_what_is_paused_is_not_published_and_comes_back(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(FIRST)
        assert pause(server) and not pause(server)
        assert not server.published
        assert restore(server) and not restore(server)
        assert server.published


def test_all_servers_of_a_paused_host_are_out(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(FIRST)
        pause(server.host)
        assert server.status == Status.ACTIVE and not server.published
        restore(server.host)
        assert server.published


def test_what_drains_is_not_published(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(FIRST)
        assert drain(server) and not server.published


def test_a_removed_server_keeps_its_history_and_no_secret(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(FIRST)
        done = remove(change, server)
        assert done == Removed(server.pseudonym, "machine-00000", destroyed=False)
    with book.view() as view:
        server = view.server(done.pseudonym)
        assert (server.status, server.removed_at) == (Status.GONE, view.now)
        assert (server.address, server.is_permanent) == (FIRST, True)
        assert not view.secrets(server)
        assert server.host.status == Status.REMOVING and server.host.removed_at is None


def test_a_machine_can_be_managed_until_it_is_destroyed(book: Book) -> None:
    with book.change("ann", "test") as change:
        remove(change, change.server(FIRST))
    with book.change("ann", "test") as change:
        host = change.host("machine-00000")
        assert change.secrets(host).keys() == {"management_credential", "console"}
        assert destroyed(change, host) and not destroyed(change, host)
    with book.view() as view:
        host = view.host("machine-00000")
        assert (host.status, host.removed_at) == (Status.GONE, view.now)
        assert not view.secrets(host)


def test_a_machine_with_a_server_on_it_is_not_destroyed(book: Book) -> None:
    with pytest.raises(OperatorError, match="is active, and cannot become gone"):
        with book.change("ann", "test") as change:
            destroyed(change, change.host("machine-00000"))


def test_this_machine_is_gone_at_once(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(FIRST)
        server.host.deployment = LOCAL
        assert remove(change, server) == Removed(server.pseudonym, "machine-00000", destroyed=True)
    with book.view() as view:
        host = view.host("machine-00000")
        assert host.status == Status.GONE and not view.secrets(host)


def test_a_host_stays_while_it_has_another_server(book: Book) -> None:
    with book.change("ann", "test") as change:
        first, other = (change.server(address) for address in (FIRST, "198.18.0.2"))
        other.host_id = first.host_id
        change.session.flush()
        assert remove(change, first) == Removed(first.pseudonym)
        assert first.host.status == Status.ACTIVE
        assert change.secrets(first.host).keys() >= {"log_credential"}


def test_nothing_is_removed_twice(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(FIRST)
        remove(change, server)
        with pytest.raises(OperatorError, match="gone already"):
            remove(change, server)
        with pytest.raises(OperatorError, match="nothing any more"):
            restore(server)


def test_another_address_is_tested_before_it_is_told(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(FIRST)
        server.egress_address = server.host.management_address = FIRST
        tag = server.tag
        assert swap_address(server, "203.0.113.77") and not swap_address(server, "203.0.113.77")
        assert not server.published
    with book.view() as view:
        server = view.server("203.0.113.77")
        assert server.egress_address == server.host.management_address == "203.0.113.77"
        assert server.configuration_version == 1 and server.tag != tag


def test_addresses_that_are_elsewhere_stay(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(FIRST)
        managed = server.host.management_address
        swap_address(server, "2001:DB8::5")
        assert (server.address, server.egress_address) == ("2001:db8::5", "")
        assert server.host.management_address == managed


def test_what_is_no_address_or_no_server_any_more_gets_none(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(FIRST)
        with pytest.raises(OperatorError, match="not an IP address"):
            swap_address(server, "somewhere")
        remove(change, server)
        with pytest.raises(OperatorError, match="gets no other address"):
            swap_address(server, "203.0.113.77")


def remove_here(change: Change) -> Server:
    server = change.server(FIRST)
    server.host.deployment = LOCAL
    remove(change, server)
    return server


@pytest.mark.parametrize(("days", "kept"), [(365, True), (366, False)])
def test_addresses_are_forgotten_when_the_settings_say(book: Book, days: int, kept: bool) -> None:
    with book.change("ann", "test") as change:
        name = remove_here(change).pseudonym
    later(book, days)
    with book.change("ann", "test") as change:
        assert forget_addresses(change) == ([] if kept else [name])
    with book.view() as view:
        server = view.server(name)
        assert bool(server.address) == bool(server.internal_address) == kept
        assert bool(server.host.management_address) == kept
        assert view.server("198.18.0.2").address
