"""docs/discovery.md has the figures that the strategies come to."""

from tests.docs.documents import tables
from tests.docs.exposure import rows


def test_the_table_is_what_the_strategies_come_to() -> None:
    assert tables("docs/discovery.md")["exposure"] == rows(), "python -m tests.docs.exposure prints it"
