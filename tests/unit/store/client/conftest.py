"""A store on disk, a clock that is set by hand, and what the store said."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.store_contents import SetClock

from headrace.store.client.store import ClientStore


@pytest.fixture
def time() -> SetClock:
    return SetClock()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, time: SetClock, told: list[str]) -> Iterator[ClientStore]:
    opened = ClientStore.open(tmp_path, time, notify=told.append)
    yield opened
    opened.close()
