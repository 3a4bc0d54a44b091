"""Names of interfaces, to addresses."""

import socket

import pytest

from headrace.base.errors import OperatorError
from headrace.net.interfaces import every_address, listening_address


@pytest.mark.parametrize(("name", "address"), [("", "127.0.0.1"), ("any", "0.0.0.0"), ("lo", "127.0.0.1")])
def test_known_names(name: str, address: str) -> None:
    assert listening_address(name) == address


def test_an_interface_that_is_not_there_is_named() -> None:
    with pytest.raises(OperatorError, match="nonesuch7"):
        listening_address("nonesuch7")


def test_a_machine_without_ipv6_is_listened_on_at_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    original = socket.socket

    def only_ipv4(family: int, *arguments: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return original(family, *arguments)

    monkeypatch.setattr(socket, "socket", only_ipv4)
    assert every_address() == ("0.0.0.0",)
