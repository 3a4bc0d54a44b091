"""A network to publish, for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.network.publish.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A network of four servers, of which nothing is published yet."""
    rig = Rig(str(tmp_path / "network.db"))
    with rig.book:
        yield rig
