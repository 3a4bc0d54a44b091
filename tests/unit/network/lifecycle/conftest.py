"""A network whose things live and go."""

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


@pytest.fixture(scope="module")
def shared_book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """The same, for tests that leave nothing behind."""
    with build_network(tmp_path_factory.mktemp("shared"), servers_per_role=1, channels=1) as book:
        yield book
