"""A network of which extracts are made."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.network.networks import build_network

from headrace.network.book import Book


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """The book of a network with one channel and one server in each role."""
    with build_network(tmp_path, servers_per_role=1, channels=1) as book:
        yield book
