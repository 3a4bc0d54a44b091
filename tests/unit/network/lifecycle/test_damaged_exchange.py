"""Lines that were damaged or edited at random are taken in or refused with a word; nothing else happens."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.base.errors import HeadraceError
from headrace.network.book import Book
from headrace.network.lifecycle.exchange import export_rows, import_rows

QUICK = settings(max_examples=60)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["DE", "gone", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def take_in(book: Book, data: bytes) -> None:
    """Import lines, and insist that it goes well or is refused, and leaves nothing behind."""
    with book.view() as view:
        before = export_rows(view)
    try:
        with book.change("ann", "test", dry_run=True) as change:
            import_rows(change, data)
    except HeadraceError as error:
        assert str(error)
    with book.view() as view:
        assert export_rows(view) == before


@QUICK
@given(st.data())
def test_damaged_bytes_are_refused_or_do_no_harm(shared_book: Book, data: st.DataObject) -> None:
    with shared_book.view() as view:
        whole = bytearray(export_rows(view))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(whole) - 1))
        length = data.draw(st.sampled_from([0, 1, 1, 7]))
        whole[place : place + length] = data.draw(st.binary(max_size=3))
    take_in(shared_book, bytes(whole))


@QUICK
@given(st.data())
def test_any_value_in_any_column_is_refused_or_does_no_harm(shared_book: Book, data: st.DataObject) -> None:
    with shared_book.view() as view:
        rows: list[dict[str, Any]] = [json.loads(line) for line in export_rows(view).splitlines()]
    row = data.draw(st.sampled_from(rows))
    others = [each[name] for each in rows for name in sorted(each)]
    for _ in range(data.draw(st.integers(1, 2))):
        name = data.draw(st.sampled_from(sorted(row)))
        if data.draw(st.booleans()):
            row[name] = data.draw(VALUES | st.sampled_from(others))
        else:
            row.pop(name, None)
        if not row:
            break
    take_in(shared_book, b"\n".join(json.dumps(each).encode() for each in rows))
