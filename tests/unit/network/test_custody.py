"""The network's keys in its book, and the signers they become."""

from pathlib import Path

import pytest
from tests.unit.network.book.small_network import make_book

from headrace.base.errors import OperatorError
from headrace.network.book import Book
from headrace.network.custody import (
    add_key,
    entry_signer,
    entry_signer_of,
    import_signatures,
    package_signers,
    private_half,
    retire_key,
)
from headrace.network.model import NetworkKey
from headrace.network.signing.kinds import Purpose
from headrace.network.signing.making import KeyPair, make_key
from headrace.network.signing.signer import NeedsOfflineSignature, Unsigned


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """A network without keys."""
    return make_book(str(tmp_path / "network.db"))


def add(book: Book, purpose: Purpose, *, offline: bool = False, name: str = "") -> KeyPair:
    pair = make_key(purpose, book.rng, name=name, bits=2048)
    with book.change("ann", "test") as change:
        add_key(change, pair, offline=offline)
    return pair


def test_a_key_signs_what_its_public_half_verifies(book: Book) -> None:
    add(book, Purpose.ENTRIES)
    add(book, Purpose.LISTS)
    with book.view() as view:
        entries, (lists,) = entry_signer(view), package_signers(view, Purpose.LISTS)
    assert entries is not None
    assert entries.public.verify(b"an entry", entries.sign(b"an entry"))
    assert lists.public.verify(b"a list", lists.sign(b"a list"))


def test_without_a_key_and_with_two_entries_are_not_signed(book: Book) -> None:
    with book.view() as view:
        assert entry_signer(view) is None
    add(book, Purpose.ENTRIES)
    add(book, Purpose.ENTRIES)
    with book.view() as view:
        assert entry_signer(view) is None
        assert len({entry_signer_of(view, key).key_id for key in view.keys(Purpose.ENTRIES)}) == 2


def test_a_third_key_has_to_wait(book: Book) -> None:
    add(book, Purpose.ENTRIES)
    add(book, Purpose.ENTRIES)
    with pytest.raises(OperatorError):
        add(book, Purpose.ENTRIES)


def test_a_retired_key_is_forgotten_and_its_public_half_is_kept(book: Book) -> None:
    pair = add(book, Purpose.LISTS)
    with book.change("ann", "test") as change:
        retire_key(change, change.keys(Purpose.LISTS)[0])
    with book.view() as view:
        assert not view.keys(Purpose.LISTS)
        (key,) = view.all(NetworkKey)
        assert key.public == pair.public
        with pytest.raises(OperatorError, match="is not here"):
            private_half(view, key)


def test_what_servers_share_is_kept_apart_from_what_nobody_is_told(book: Book) -> None:
    pair = add(book, Purpose.DISCOVERY)
    add(book, Purpose.OSL, name="one")
    with book.view() as view:
        for key in view.all(NetworkKey):
            assert view.secrets(key).keys() == {"shared"}
        assert private_half(view, view.keys(Purpose.DISCOVERY)[0]) == pair.private


def test_a_key_that_servers_need_cannot_be_offline(book: Book) -> None:
    with pytest.raises(OperatorError, match="cannot be offline"):
        add(book, Purpose.DISCOVERY, offline=True)


def test_an_offline_key_signs_with_what_was_imported(book: Book) -> None:
    pair = add(book, Purpose.ENTRIES, offline=True)
    data = Unsigned("an entry", b"{}")
    with book.view() as view:
        signer = entry_signer(view)
        assert signer is not None
        with pytest.raises(NeedsOfflineSignature):
            signer.sign(data.data)
    with book.change("ann", "test") as change:
        assert import_signatures(change, pair.key_id, {data.sha256: b"S" * 64}) == 1
        assert import_signatures(change, pair.key_id, {data.sha256: b"S" * 64}) == 0
    with book.view() as view:
        signer = entry_signer(view)
        assert signer is not None
        assert signer.sign(data.data) == b"S" * 64
