"""A network is made once, opened with its key, and brought to the schema of this program."""

import stat
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from tests.unit.network.book.small_network import PSEUDONYM, key, make_book

from headrace.base.errors import OperatorError
from headrace.network.book import Book
from headrace.network.book.database import open_engine
from headrace.network.migrations import current, upgrade
from headrace.network.model import Base
from headrace.network.vault import WrongKey


def test_the_migrations_lead_to_the_schema_of_the_model(book: Book, database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_taking_the_migrations_again_does_nothing(book: Book, database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        reached = current(connection)
        upgrade(connection)
        assert current(connection) == reached
    engine.dispose()


def test_a_network_opens_with_its_key_only(book: Book, database_url: str) -> None:
    with Book.open(database_url, key()) as again, again.view() as view:
        assert view.server(PSEUDONYM).ssh_port == 22
    with pytest.raises(WrongKey):
        Book.open(database_url, key("some other passphrase"))


def test_a_new_key_takes_the_place_of_the_old_one(book: Book, database_url: str) -> None:
    book.rewrap(key("some other passphrase"))
    with pytest.raises(WrongKey):
        Book.open(database_url, key())
    with Book.open(database_url, key("some other passphrase")) as again, again.view() as view:
        assert view.secrets(view.server(PSEUDONYM))


def test_a_network_is_not_made_over_another(book: Book, database_url: str) -> None:
    with pytest.raises(OperatorError, match="already"):
        make_book(database_url)
    with book.view() as view:
        assert view.server(PSEUDONYM)


def test_the_file_of_a_network_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "n" / "network.db"
    make_book(str(path)).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_cannot_be_made_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_connection: Connection) -> None:
        raise OperatorError("no")

    monkeypatch.setattr("headrace.network.book.opening.upgrade", fail)
    with pytest.raises(OperatorError, match="no"):
        make_book(str(tmp_path / "network.db"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nowhere/network.db", "no network at"),
        ("mysql://somewhere/db", "not kept in mysql"),
        ("://", "not the URL"),
    ],
)
def test_a_place_without_a_network_is_said_to_be_one(url: str, said: str) -> None:
    with pytest.raises(OperatorError, match=said):
        Book.open(url, key())


def test_a_database_with_something_else_in_it_is_no_network(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE things (x)")
    engine.dispose()
    with pytest.raises(OperatorError, match="no network in this database"):
        Book.open(str(path), key())
    (tmp_path / "text").write_text("this is no database at all, but it is long enough to be read as one")
    with pytest.raises(OperatorError, match="the database refuses"):
        Book.open(str(tmp_path / "text"), key())
