"""docs/state-machines.md is what the tables in the code say."""

from tests.docs.state_machines import PAGE, page


def test_the_drawings_are_those_of_the_code() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.docs.state_machines"
