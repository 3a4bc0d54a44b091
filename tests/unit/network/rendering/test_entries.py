"""Entries are signed with the network's key, made once, and known by a version."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.network.networks import build_network

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.documents.entry_fields import decode_fields
from headrace.documents.entry_signature import verify_entry
from headrace.network.book import Book
from headrace.network.custody import add_key, entry_signer, entry_signer_of
from headrace.network.rendering.entries import EntryRenderer
from headrace.network.signing.kinds import Purpose
from headrace.network.signing.making import make_key

FIRST = "198.18.0.1"


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """The book of a network with one channel and one server in each role."""
    with build_network(tmp_path, servers_per_role=1, channels=1) as book:
        yield book


def test_an_entry_is_signed_by_the_key_that_it_is_made_with_and_no_other(book: Book) -> None:
    with book.change("ann", "test") as change:
        old = change.keys(Purpose.ENTRIES)[0]
        new = add_key(change, make_key(Purpose.ENTRIES, SeededRng(7)))
        for key, other in ((old, new), (new, old)):
            renderer = EntryRenderer(change, entry_signer_of(change, key))
            fields = decode_fields(renderer.encoded(change.server(FIRST)))
            verify_entry(fields, entry_signer_of(change, key).public)
            with pytest.raises(DocumentError):
                verify_entry(fields, entry_signer_of(change, other).public)


def test_without_a_key_entries_are_not_signed(book: Book) -> None:
    with book.view() as view:
        fields = EntryRenderer(view, None).fields(view.server(FIRST))
        assert "signature" not in fields
        signed = EntryRenderer(view, entry_signer(view)).fields(view.server(FIRST))
        assert {name: value for name, value in signed.items() if name != "signature"} == fields


def test_an_entry_is_made_once(book: Book) -> None:
    with book.view() as view:
        renderer = EntryRenderer(view, entry_signer(view))
        server = view.server(FIRST)
        assert renderer.encoded(server) is renderer.encoded(server)
        assert renderer.encoded(server) != renderer.encoded(view.server("198.18.0.2"))


def test_the_version_is_another_when_the_entry_or_the_signer_is(book: Book) -> None:
    versions = []

    def note() -> None:
        with book.view() as view:
            versions.append(EntryRenderer(view, entry_signer(view)).version(view.server(FIRST)))

    note()
    with book.change("ann", "test") as change:
        change.server(FIRST).ssh_port = 22
    note()
    with book.change("ann", "test") as change:
        change.server(FIRST).host.provider.published_id = "00112233AABBCCDD"
    note()
    with book.view() as view:
        versions.append(EntryRenderer(view, None).version(view.server(FIRST)))
    assert len(set(versions)) == 4
    with book.change("ann", "test") as change:
        change.server(FIRST).rate_limit = "3/s"
    with book.view() as view:
        assert EntryRenderer(view, entry_signer(view)).version(view.server(FIRST)) == versions[2]
