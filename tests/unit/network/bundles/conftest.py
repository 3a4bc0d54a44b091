"""A network with two channels, for clients of which bundles are made; and the client, packed once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.network.bundles.made import first_bundle
from tests.unit.network.networks import build_network

from headrace.network.book import Book
from headrace.network.bundles.archive import Base, pack_base


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """The book of a network with two channels, and a server of each in each role."""
    with build_network(tmp_path, servers_per_role=1) as book:
        yield book


@pytest.fixture(scope="package")
def bundle_data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bundle of the first campaign of a network with two permanent servers in each of two channels."""
    with build_network(tmp_path_factory.mktemp("network")) as book:
        return first_bundle(book)


@pytest.fixture(scope="package")
def base() -> Base:
    """The client that is installed here, packed."""
    return pack_base()
