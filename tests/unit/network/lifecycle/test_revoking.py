"""A revocation is one step: it is guarded, on record, and clients come to prefer the new entries."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.unit.network.networks import build_network

from headrace.base.errors import OperatorError
from headrace.network.book import Book
from headrace.network.lifecycle.revoking import PUBLISHED_FIRST, Guard, revoke
from headrace.network.model import AuditEvent, Server
from headrace.network.publish.kinds import Kind
from headrace.network.strategy.selector import Selector, parse_selector

EVERY = Selector()


def test_all_but_what_is_kept_goes_when_nothing_is_named(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server("198.18.0.1")
        server.tls_port = 443
        server.capabilities = [*server.capabilities, "TLS"]
        change.set_secrets(server.host, {"meek_obfuscation_key": "aa"})
    with book.change("ann", "test") as change:
        plan = revoke(change, EVERY)
        assert [(each.server.address, each.lost) for each in plan.servers] == [("198.18.0.1", ("TLS",))]
    with book.view() as view:
        servers = view.servers()
        assert not [each for each in servers if "TLS" in each.capabilities]
        assert [each.configuration_version for each in servers if each.address == "198.18.0.1"] == [2]
        assert {each.configuration_version for each in servers if each.address != "198.18.0.1"} == {0}


def test_there_is_a_guard_unless_it_is_taken_off(book: Book) -> None:
    with pytest.raises(OperatorError, match="left with 0 of 4"), book.change("ann", "test") as change:
        revoke(change, EVERY, ["SSH", "OSSH"])
    with book.change("ann", "test") as change:
        plan = revoke(change, EVERY, ["SSH", "OSSH"], guard=None)
        assert plan.channels["channel-0"].after == 0
        assert not [server for server in change.servers() if {"SSH", "OSSH"} & set(server.capabilities)]


@pytest.mark.parametrize(
    ("guard", "refused"),
    [(Guard(channel=3, region=0), False), (Guard(channel=4, region=0), True), (Guard(0, 1), True)],
)
def test_the_guard_counts_what_is_left_of_channels_and_regions(
    book: Book, guard: Guard, refused: bool
) -> None:
    with book.change("ann", "test", dry_run=True) as change:
        for server in change.servers(Server.address != "198.18.0.1"):
            assert server.host.region != "DE"
        selector = parse_selector("region=DE")
        if refused:
            with pytest.raises(OperatorError, match="would be left with"):
                revoke(change, selector, ["SSH", "OSSH"], guard=guard)
            assert not change.settle()
        else:
            assert len(revoke(change, selector, ["SSH", "OSSH"], guard=guard).servers) == 1


def test_a_dry_run_counts_and_leaves_everything_as_it_is(book: Book) -> None:
    with book.change("ann", "test", dry_run=True) as change:
        plan = revoke(change, EVERY, ["SSH"])
        assert (plan.channels["channel-0"].affected, plan.channels["channel-0"].after) == (4, 4)
        assert {region: left.affected for region, left in plan.regions.items()} == dict.fromkeys(
            ("DE", "FR", "NL", "SE"), 1
        )
    with book.view() as view:
        assert all("SSH" in server.capabilities for server in view.servers())


def test_what_was_revoked_is_on_record(book: Book) -> None:
    with book.change("ann", "revoke", "a leak") as change:
        revoke(change, parse_selector("region=DE"), ["SSH"], guard=None)
    with book.view() as view:
        event = view.session.scalars(select(AuditEvent).where(AuditEvent.kind == "revocation")).one()
        assert (event.object_name, event.reason) == ("region=DE", "a leak")
        assert event.after == {"capabilities": ["SSH"], "servers": 1, "new_keys": False, "guarded": False}


def test_keys_that_may_be_known_are_new_but_the_server_is_the_same_to_clients(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server("198.18.0.1")
        before, tag = dict(change.secrets(server)), server.tag
        revoke(change, parse_selector("region=DE"), ["SSH"], regenerate_keys=True)
        after = change.secrets(server)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == before.keys() - {"web_secret"}
    with book.view() as view:
        assert view.server("198.18.0.1").tag == tag


def test_to_revoke_nothing_is_an_error(book: Book) -> None:
    with pytest.raises(OperatorError, match="nothing to revoke"), book.change("ann", "test") as change:
        revoke(change, EVERY)


def test_lists_are_published_before_what_can_be_blocked() -> None:
    assert Kind.LIST in PUBLISHED_FIRST and Kind.PSINET not in PUBLISHED_FIRST


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """The book of a network of 500 servers."""
    place: Path = tmp_path_factory.mktemp("large")
    with build_network(place, servers_per_role=25, channels=5) as book:
        yield book


def test_500_servers_are_revoked_at_once(large: Book) -> None:
    told: list[tuple[int, int | None]] = []
    started = time.perf_counter()
    with large.change("ann", "test") as change:
        revoke(change, EVERY, ["SSH"], guard=Guard(100, 100), progress=lambda *both: told.append(both))
    assert time.perf_counter() - started < 4  # a tenth of that where nothing else runs
    assert told[0] == (0, 500) and told[-1] == (500, 500)
    with large.view() as view:
        servers = view.servers()
        assert {server.configuration_version for server in servers} == {1}
        assert not [server for server in servers if "SSH" in server.capabilities]
