"""A network for each test, named to the commands by the environment, at a time that stands still."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.stopped_clock import StoppedClock
from tests.unit.network.networks import NOW, build_network

from headrace.network.book import Book
from headrace.network.vault import OperatorKey

_PASSPHRASE = "a long enough passphrase"  # what `network_key` is made of


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a network of two channels, with a server in each role."""
    place = tmp_path_factory.mktemp("built")
    build_network(place, servers_per_role=1).close()
    return place / "network.db"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StoppedClock:
    """The time for all commands."""
    clock = StoppedClock(NOW)
    opened: Callable[..., Book] = Book.open

    def open_then(url: str, key: OperatorKey, **options: Any) -> Book:
        return opened(url, key, clock=clock, **options)

    monkeypatch.setattr(Book, "open", open_then)
    return clock


@pytest.fixture
def network(built: Path, tmp_path: Path, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the network that commands find."""
    place = tmp_path / "network"
    place.mkdir()
    shutil.copy(built, place / "network.db")
    monkeypatch.setenv("HEADRACE_NETWORK", str(place))
    monkeypatch.setenv("HEADRACE_PASSPHRASE", _PASSPHRASE)
    monkeypatch.setenv("HEADRACE_OPERATOR", "ann")
    return place
