"""What many tests of the client need."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.store_contents import SetClock

from headrace.store.client.store import ClientStore


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(clock: SetClock) -> Iterator[ClientStore]:
    """A client's store, in memory."""
    with closing(ClientStore.open(None, clock)) as store:
        yield store
