"""The ledger, and the turns of publications, in each of the databases."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tests.unit.network.book.small_network import NOW, make_book

from headrace.base.errors import OperatorError
from headrace.network.book import Book
from headrace.network.publish.contents import Key
from headrace.network.publish.kinds import Kind
from headrace.network.publish.ledger import UNCERTAIN, Entry, Ledger, read_ledger
from headrace.network.publish.turns import only_publication

ID = Key(Kind.OSL, "web/a", "store")
AT = datetime.fromtimestamp(NOW, UTC)


@pytest.fixture
def book(database_url: str) -> Iterator[Book]:
    """A network whose ledger is empty."""
    with make_book(database_url) as book:
        yield book


def entries(book: Book) -> dict[Key, Entry]:
    with book.view() as view:
        return read_ledger(view)


def test_entries_come_back_as_they_were_noted_objects_in_their_order(book: Book) -> None:
    objects = {f"name {number}": f"{number:064}" for number in (3, 1, 2)}
    entry = Entry(ID, "digest", AT, {"part": "1"}, objects)
    Ledger(book).succeed([entry])
    assert entries(book) == {ID: entry}
    assert list(entries(book)[ID].objects) == list(objects)
    assert entry.finished


def test_a_beginning_keeps_all_but_the_objects(book: Book) -> None:
    ledger = Ledger(book)
    ledger.succeed([Entry(ID, "digest", AT, {"part": "1"}, {"x": "12"})])
    ledger.begin([(ID, {"x": UNCERTAIN, "y": UNCERTAIN})])
    found = entries(book)[ID]
    assert (found.applied, found.applied_at, found.parts) == ("digest", AT, {"part": "1"})
    assert found.objects == {"x": UNCERTAIN, "y": UNCERTAIN}
    assert not found.finished


def test_a_failure_keeps_what_is_there_and_a_success_ends_it(book: Book) -> None:
    ledger = Ledger(book)
    ledger.succeed([Entry(ID, "digest", AT, {"part": "1"}, {"x": "12"})])
    ledger.fail(ID, 1, "e" * 10_000)
    found = entries(book)[ID]
    assert (found.applied, found.attempts, len(found.error)) == ("digest", 1, 500)
    assert not found.finished
    ledger.succeed([Entry(ID, "digest 2", AT, {}, {})])
    assert entries(book)[ID] == Entry(ID, "digest 2", AT)


def test_many_entries_are_noted_at_once_new_and_old(book: Book) -> None:
    many = [Entry(Key(Kind.HOST, f"h{number}", f"host:h{number}"), "1", AT) for number in range(40)]
    ledger = Ledger(book)
    ledger.succeed(many[:20])
    ledger.succeed(many)
    assert entries(book) == {entry.id: entry for entry in many}


def test_what_is_forgotten_is_gone_alone(book: Book) -> None:
    other = Key(Kind.OSL, "web/a", "exports")
    ledger = Ledger(book)
    ledger.succeed([Entry(ID, "1", AT), Entry(other, "1", AT)])
    ledger.forget(ID)
    assert entries(book).keys() == {other}


def test_an_entry_of_a_kind_that_this_program_does_not_know_is_left_alone(book: Book) -> None:
    Ledger(book).succeed([Entry(Key("carrier pigeons", "a", "b"), "1", AT)])  # type: ignore[arg-type]
    assert entries(book) == {}


def test_publications_take_turns(book: Book) -> None:
    with book.view() as first, book.view() as second:
        with only_publication(first), pytest.raises(OperatorError), only_publication(second):
            pass
        with only_publication(second):
            pass
