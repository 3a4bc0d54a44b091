"""docs/discovery.md has the figures that the strategies come to."""

import pytest
from tests.docs.documents import tables
from tests.docs.exposure import TABLES


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_are_what_the_strategies_come_to(name: str) -> None:
    assert tables("docs/discovery.md")[name] == TABLES[name](), "python -m tests.docs.exposure prints it"
