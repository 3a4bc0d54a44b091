"""What every server is told of the network is read as it was meant, and is no more than it needs."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.unit.network.networks import NOW

from headrace.base.rng import SeededRng
from headrace.discovery.extract import pool_of
from headrace.documents.psinet import Audience, Psinet, read_psinet
from headrace.documents.server_entry import ServerEntry
from headrace.network.book import Book
from headrace.network.book.identifiers import public_id
from headrace.network.lifecycle.standing import pause, remove
from headrace.network.model import ClientVersion, Sponsor
from headrace.network.rendering.network import NetworkRendering

PERMANENT, DISCOVERY = "198.18.0.1", "198.18.0.3"


def psinet(book: Book, pool: int = 0) -> Psinet:
    with book.view() as view:
        read = read_psinet(NetworkRendering(view).psinet(pool), modified=NOW)
    assert read.unknown_fields == []
    assert list(read.oddities()) == []
    return read


def fields(book: Book) -> dict[str, Any]:
    with book.view() as view:
        read: dict[str, Any] = json.loads(NetworkRendering(view).psinet(0))
        return read


def pages(read: Psinet, sponsor: str, region: str = "DE", mobile: bool = False) -> set[str]:
    audience = Audience(sponsor_id=sponsor, region=region, mobile=mobile)
    return set(read.home_pages(audience, SeededRng(1)))


def set_sponsor(book: Book, **values: Any) -> str:
    """Change the only sponsor, and return its public id."""
    with book.change("ann", "test") as change:
        sponsor = change.sponsor("sponsor-0")
        for name, value in values.items():
            setattr(sponsor, name, value)
        return sponsor.public_id


def add_sponsor(book: Book, **values: Any) -> str:
    with book.change("ann", "test") as change:
        other = Sponsor(name="other", public_id=public_id(change.rng), **values)
        return change.add(other).public_id


def told(read: Psinet) -> set[str]:
    return {server.address for server in read.discovery_servers}


def test_pages_are_those_of_the_region_or_of_everywhere(book: Book) -> None:
    everywhere, french, mobile = (f"https://{name}.example/" for name in ("all", "fr", "mobile"))
    sponsor = set_sponsor(
        book, home_pages={"None": [everywhere], "FR": [french]}, mobile_home_pages={"None": [mobile]}
    )
    read = psinet(book)
    assert pages(read, sponsor) == {everywhere}
    assert pages(read, sponsor, "FR") == {french}
    assert pages(read, sponsor, "FR", mobile=True) == {mobile}
    assert pages(read, "0000000000000000", "FR") == {french}, "the sponsor is the default one"


def test_a_sponsor_shows_what_it_borrows_under_its_own_id(book: Book) -> None:
    lender = set_sponsor(
        book,
        alert_action_urls={"a-reason": ["https://lent.example/alert"]},
        https_request_rules=[{"regex": "lent", "replace": "lent"}],
    )
    with book.view() as view:
        lender_id = view.sponsor("sponsor-0").id
    own = add_sponsor(
        book,
        use_data_from_id=lender_id,
        home_pages={"None": ["https://own.example/"]},
        https_request_rules=[{"regex": "own", "replace": "own"}],
    )
    read = psinet(book)
    assert pages(read, own) == pages(read, lender) == {"https://home-0.example/?client_region=DE"}
    assert read.alert_urls("a-reason", Audience(sponsor_id=own)) == ["https://lent.example/alert"]
    assert read.https_request_regexes(own)[0] == [{"regex": "lent", "replace": "lent"}]
    assert fields(book)["sponsors"][own]["id"] == own


def test_the_networks_rules_and_alerts_come_first_and_last(book: Book) -> None:
    with book.change("ann", "test") as change:
        change.settings.https_request_rules = [{"regex": "global", "replace": "global"}]
    sponsor = set_sponsor(book, alert_action_urls={"a-reason": ["https://own.example/"]})
    read = psinet(book)
    assert [rule["regex"] for rule in read.https_request_regexes(sponsor)[0]] == [
        "global",
        r"site-0\.example",
    ]
    audience = Audience(sponsor_id=sponsor)
    assert read.alert_urls("a-reason", audience) == ["https://own.example/"]
    assert read.alert_urls("unsafe-traffic", audience) == ["https://help.example/unsafe"]


def test_versions_ascend(book: Book) -> None:
    for version in (8, 9, 10):
        with book.change("ann", "test") as change:
            change.add(ClientVersion(platform="Windows", version=version, created_at=change.now))
    read = psinet(book)
    assert read.upgrade("9", "Windows") == "10"
    assert read.upgrade("10", "Windows") == ""
    assert [each["version"] for each in fields(book)["client_versions"]["Windows"]] == ["7", "8", "9", "10"]


def test_all_servers_that_live_are_valid_and_no_other(book: Book) -> None:
    with book.view() as view:
        tags = {server.address: server.tag for server in view.servers()}
    assert len(tags) == 4
    assert set(fields(book)["valid_server_entry_tags"]) == set(tags.values())
    with book.change("ann", "test") as change:
        pause(change.server("198.18.0.2"))
        remove(change, change.server(PERMANENT))
    read = psinet(book)
    assert not read.is_valid_tag(tags.pop(PERMANENT), NOW)
    assert all(read.is_valid_tag(tag, NOW) for tag in tags.values())


def test_who_is_told_of_is_who_is_published_and_open_within_the_horizon(book: Book) -> None:
    read = psinet(book)
    (server,) = read.discovery_servers
    with book.view() as view:
        expected = view.server(DISCOVERY)
        assert expected.discovery_start and expected.discovery_end
        assert server.starts == expected.discovery_start.timestamp()
        assert server.ends == expected.discovery_end.timestamp()
        entry = ServerEntry.decode(server.encoded_entry)
        assert (entry.ip_address, entry.effective_tag) == (DISCOVERY, expected.tag)


@pytest.mark.parametrize(
    ("starts", "ends", "is_told"),
    [(48, 72, True), (49, 72, False), (-24, 0, False), (-24, 1, True), (0, 1, True)],
)
def test_what_opens_after_the_horizon_or_is_over_is_left_out(
    book: Book, starts: int, ends: int, is_told: bool
) -> None:
    with book.change("ann", "test") as change:
        server = change.server(DISCOVERY)
        server.discovery_start = change.now + timedelta(hours=starts)
        server.discovery_end = change.now + timedelta(hours=ends)
    assert told(psinet(book)) == ({DISCOVERY} if is_told else set())


def test_nobody_is_told_of_a_server_before_its_test_or_while_it_is_paused(book: Book) -> None:
    with book.change("ann", "test") as change:
        change.server(DISCOVERY).tested_at = None
    assert told(psinet(book)) == set()
    with book.change("ann", "test") as change:
        server = change.server(DISCOVERY)
        server.tested_at = change.now
        pause(server.host)
    assert told(psinet(book)) == set()


def test_each_pool_is_told_of_its_own_servers(book: Book) -> None:
    with book.change("ann", "test") as change:
        change.settings.discovery_pools = 3
        for server in change.servers():
            server.discovery_start = change.now
            server.discovery_end = change.now + timedelta(days=1)
        addresses = {server.address for server in change.servers()}
    by_pool = [told(psinet(book, pool)) for pool in range(3)]
    assert sum(map(len, by_pool)) == len(addresses) and set().union(*by_pool) == addresses
    for pool, there in enumerate(by_pool):
        assert {pool_of(address, 3) for address in there} <= {pool}
    tags = [fields(book)["valid_server_entry_tags"] for _ in by_pool]
    assert all(len(each) == 4 for each in tags), "which servers exist is no matter of pools"


def test_the_file_is_the_same_until_something_changes(book: Book) -> None:
    with book.view() as view:
        first = NetworkRendering(view).psinet(0)
    with book.view() as view:
        assert NetworkRendering(view).psinet(0) == first
    add_sponsor(book)
    with book.view() as view:
        assert NetworkRendering(view).psinet(0) != first


def test_times_have_their_zone(book: Book) -> None:
    ranges: Iterable[list[str]] = (
        server["discovery_date_range"] for server in fields(book)["discovery_servers"]
    )
    for start, end in ranges:
        assert start.endswith("Z") and end.endswith("Z")
        assert datetime.fromisoformat(start) < datetime.fromisoformat(end)
