"""A network is published by one at a time."""

import pytest
from tests.unit.network.publish.rig import Rig

from headrace.base.errors import OperatorError
from headrace.network.publish.turns import only_publication


def test_a_second_publication_is_refused_until_the_first_has_ended(rig: Rig) -> None:
    with rig.book.view() as view, only_publication(view), pytest.raises(OperatorError, match="under way"):
        rig.publish()
    assert rig.hosts.objects == {}
    assert rig.publish().complete


def test_a_publication_that_fails_lets_the_next_one_go_on(rig: Rig) -> None:
    with pytest.raises(ZeroDivisionError), rig.book.view() as view, only_publication(view):
        _ = 1 / 0
    assert rig.publish().complete
