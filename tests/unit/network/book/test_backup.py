"""A backup restores to the byte, in either database, and opens with the operator's key only."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.network.book.small_network import PSEUDONYM, key

from headrace.base.errors import DocumentError, OperatorError
from headrace.network.book import Book
from headrace.network.vault import DamagedSecret, WrongKey


@pytest.fixture
def other(tmp_path: Path) -> Iterator[str]:
    """Where there is no network yet."""
    yield str(tmp_path / "restored" / "network.db")


def test_what_is_restored_backs_up_to_the_same_bytes(book: Book, other: str) -> None:
    backup = book.back_up()
    Book.restore(backup, other, key())
    with Book.open(other, key(), clock=book.clock, rng=book.rng) as restored:
        assert restored.back_up() == backup
        with restored.view() as view:
            assert view.secrets(view.server(PSEUDONYM))["ssh_password"] == f"p-{PSEUDONYM}"
        with restored.change("ann", "test") as change:
            change.server(PSEUDONYM).ssh_port = 2222


def test_a_backup_of_sqlite_restores_to_postgresql(tmp_path: Path, postgresql_url: str) -> None:
    from tests.unit.network.book.small_network import make_book

    with make_book(str(tmp_path / "network.db")) as book:
        backup = book.back_up()
    Book.restore(backup, postgresql_url, key())
    with Book.open(postgresql_url, key()) as restored:
        assert restored.back_up() == backup
        with restored.change("ann", "test") as change:
            change.server(PSEUDONYM).ssh_port = 2222


def test_progress_is_told_to_the_end(book: Book, other: str) -> None:
    seen: list[tuple[int, int | None]] = []
    backup = book.back_up(lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    seen.clear()
    Book.restore(backup, other, key(), lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]


def test_a_backup_says_nothing_without_the_key(book: Book, other: str) -> None:
    backup = book.back_up()
    assert b"192.0.2.1" not in backup
    with pytest.raises(WrongKey):
        Book.restore(backup, other, key("some other passphrase"))
    assert not Path(other).exists()


def test_a_damaged_backup_is_refused_and_leaves_nothing(book: Book, other: str) -> None:
    backup = book.back_up()
    for at in [*range(0, 160), *range(160, len(backup), 37)]:
        flipped = backup[:at] + bytes([backup[at] ^ 0x10]) + backup[at + 1 :]
        for bad in (flipped, backup[:at]):
            with pytest.raises((DocumentError, WrongKey, DamagedSecret)):
                Book.restore(bad, other, key())
            assert not Path(other).exists()


def test_nothing_is_restored_over_a_network(book: Book, database_url: str) -> None:
    backup = book.back_up()
    with pytest.raises(OperatorError, match="already"):
        Book.restore(backup, database_url, key())
    assert book.back_up() == backup
