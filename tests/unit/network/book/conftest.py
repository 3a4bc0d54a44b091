"""A small network in each of the databases."""

from collections.abc import Iterator

import pytest
from tests.unit.network.book.small_network import make_book

from headrace.network.book import Book


@pytest.fixture
def book(database_url: str) -> Iterator[Book]:
    """The book of a network with one server."""
    with make_book(database_url) as book:
        yield book
