"""Names of interfaces, to addresses."""

import pytest

from headrace.base.errors import OperatorError
from headrace.net.interfaces import listening_address


@pytest.mark.parametrize(("name", "address"), [("", "127.0.0.1"), ("any", "0.0.0.0"), ("lo", "127.0.0.1")])
def test_known_names(name: str, address: str) -> None:
    assert listening_address(name) == address


def test_an_interface_that_is_not_there_is_named() -> None:
    with pytest.raises(OperatorError, match="nonesuch7"):
        listening_address("nonesuch7")
