"""Channels, sponsors, campaigns, providers and versions are added with ids of their own, or refused."""

import re
from pathlib import Path

import pytest
from tests.unit.network.networks import network_key

from headrace.base.errors import OperatorError
from headrace.network.book import Book
from headrace.network.book.identifiers import public_id
from headrace.network.lifecycle.brands import (
    add_campaign,
    add_channel,
    add_client_version,
    add_provider,
    add_sponsor,
)
from headrace.network.model import LOCAL, Campaign, PropagationChannel, Provider, Sponsor

PUBLIC_ID = re.compile(r"[0-9A-F]{16}")
BUCKET = re.compile(r"[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}")


def test_a_channel_has_a_public_id_that_is_drawn(book: Book) -> None:
    with book.change("ann", "test") as change:
        add_channel(change, "web", new_osl=3)
    with book.view() as view:
        found = view.channel("web")
        assert PUBLIC_ID.fullmatch(found.public_id)
        assert (view.channel(found.public_id), found.new_osl) == (found, 3)


def test_an_id_that_is_in_use_is_drawn_again(book: Book) -> None:
    with book.change("ann", "test") as change:
        used = change.all(PropagationChannel)[0].public_id
        drawn = iter([bytes.fromhex(used), bytes(7) + b"\x01"])
        whole = change.rng.bytes
        change.rng.bytes = lambda count: next(drawn) if count == 8 else whole(count)  # type: ignore[method-assign]
        assert add_channel(change, "web").public_id == "0000000000000001"


def test_names_are_taken_once(book: Book) -> None:
    with book.change("ann", "test") as change:
        for add, kind, word in (
            (add_channel, PropagationChannel, "channel"),
            (add_sponsor, Sponsor, "sponsor"),
            (add_provider, Provider, "provider"),
        ):
            name = change.all(kind)[0].name  # type: ignore[attr-defined]
            with pytest.raises(OperatorError, match=f"there is a {word} '{name}' already"):
                add(change, name)


@pytest.mark.parametrize("name", ["", " web", "web ", "two\nlines", "\x00", "x" * 65])
def test_a_name_is_one_line_of_sensible_length(book: Book, name: str) -> None:
    with book.change("ann", "test") as change:
        for add in (add_channel, add_sponsor, add_provider):
            with pytest.raises(OperatorError, match="is no name"):
                add(change, name)


def test_a_name_is_never_taken_for_the_id_of_something_else(book: Book) -> None:
    with book.change("ann", "test") as change:
        with pytest.raises(OperatorError, match="looks like a public id"):
            add_channel(change, public_id(change.rng).lower())


def test_names_of_any_language_are_taken(book: Book) -> None:
    with book.change("ann", "test") as change:
        add_sponsor(change, "شبکه آزاد")
    with book.view() as view:
        assert view.sponsor("شبکه آزاد")


def test_only_the_first_sponsor_becomes_the_default(tmp_path: Path) -> None:
    with Book.create(str(tmp_path / "network.db"), network_key(), "new-network") as book:
        with book.change("ann", "test") as change:
            add_sponsor(change, "first")
            add_sponsor(change, "second")
        with book.view() as view:
            assert view.settings.default_sponsor_id == view.sponsor("first").id


def test_a_campaign_has_a_bucket_that_says_nothing(book: Book) -> None:
    with book.change("ann", "test") as change:
        sponsor, channel = change.all(Sponsor)[0], add_channel(change, "web")
        first = add_campaign(change, sponsor, channel, account="a@mail.example")
        second = add_campaign(change, sponsor, channel, account="b@mail.example")
        assert BUCKET.fullmatch(first.bucket_id) and BUCKET.fullmatch(second.bucket_id)
        assert first.bucket_id != second.bucket_id


def test_the_same_campaign_is_not_added_twice(book: Book) -> None:
    with book.change("ann", "test") as change:
        there = change.all(Campaign)[0]
        same = {"mechanism": there.mechanism, "account": there.account}
        with pytest.raises(OperatorError, match="has this campaign on"):
            add_campaign(change, there.sponsor, there.channel, **same)


def test_a_bucket_belongs_to_one_campaign(book: Book) -> None:
    with book.change("ann", "test") as change:
        there = change.all(Campaign)[0]
        there.alternate_bucket_id = "web/spare"
        for bucket in (there.bucket_id, "web/spare"):
            with pytest.raises(OperatorError, match="belongs to another campaign"):
                add_campaign(change, there.sponsor, there.channel, account="new", bucket=bucket)


@pytest.mark.parametrize(
    "bucket", ["../other", "a/../b", "/a", "a/", "a//b", "a b", ".hidden", "a/.", "a\n", "ä"]
)
def test_a_bucket_leads_nowhere_else(book: Book, bucket: str) -> None:
    with book.change("ann", "test") as change:
        there = change.all(Campaign)[0]
        with pytest.raises(OperatorError, match="is no bucket"):
            add_campaign(change, there.sponsor, there.channel, account="new", bucket=bucket)


def test_a_bucket_may_be_a_prefix_in_one(book: Book) -> None:
    with book.change("ann", "test") as change:
        there = change.all(Campaign)[0]
        given = "my-bucket/web/ab12-cd34-ef56"
        assert (
            add_campaign(change, there.sponsor, there.channel, account="n", bucket=given).bucket_id == given
        )


def test_clients_know_a_provider_by_an_id_that_says_nothing(book: Book) -> None:
    with book.change("ann", "test") as change:
        add_provider(change, "nimbus")
    with book.view() as view:
        provider = view.provider("nimbus")
        assert PUBLIC_ID.fullmatch(provider.published_id)
        assert (provider.driver, provider.weight) == (LOCAL, 1)


def test_versions_of_a_client_grow_for_each_platform(book: Book) -> None:
    added = []
    for platform, version in (("Beos", None), ("Beos", 5), ("Beos", None), ("Plan9", None)):
        with book.change("ann", "test") as change:
            added.append(add_client_version(change, platform, version).version)
    assert added == [1, 5, 6, 1]
    with book.change("ann", "test") as change:
        with pytest.raises(OperatorError, match="the newest version for Beos is 6: 6 is not above it"):
            add_client_version(change, "Beos", 6)


def test_a_version_is_one_that_can_be_stored(book: Book) -> None:
    with book.change("ann", "test") as change:
        with pytest.raises(OperatorError, match="up to 2147483647"):
            add_client_version(change, "Beos", 2**31)
        with pytest.raises(OperatorError, match="not above"):
            add_client_version(change, "Beos", 0)


def test_a_dry_run_adds_nothing(book: Book) -> None:
    with book.change("ann", "test", dry_run=True) as change:
        add_channel(change, "web")
    with book.view() as view, pytest.raises(OperatorError, match="there is no channel 'web'"):
        view.channel("web")
