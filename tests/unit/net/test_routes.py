"""Asking the system for ways to somewhere. Nothing is sent."""

import socket

import pytest

from headrace.net import routes
from headrace.net.routes import has_route, network_up, source_address


def test_there_is_a_way_to_ourselves() -> None:
    assert has_route("127.0.0.1")
    assert source_address("127.0.0.1") == "127.0.0.1"
    assert network_up("127.0.0.1")


@pytest.mark.parametrize(
    "host", ["", "localhost", "1.2.3", "127.0.0.1:80", "not an address", "\0", "x" * 5000]
)
def test_there_is_none_to_what_is_no_address(host: str) -> None:
    assert not has_route(host)


def test_nothing_is_sent() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.setblocking(False)
        port = listener.getsockname()[1]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(routes, "_DISCARD", port)
            assert has_route("127.0.0.1")
        with pytest.raises(BlockingIOError):
            listener.recv(1)


def test_without_sockets_of_the_kind_there_is_no_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_arguments: object) -> None:
        raise OSError("no such family")

    monkeypatch.setattr(socket, "socket", none)
    assert not has_route("127.0.0.1")
    assert not network_up("127.0.0.1")


def test_the_network_is_up_when_there_is_a_way_to_the_server_or_to_anywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known: set[str] = set()
    monkeypatch.setattr(routes, "source_address", lambda host, device: host if host in known else None)
    assert not network_up()
    assert not network_up("198.51.100.1")
    known.add("198.51.100.1")
    assert network_up("198.51.100.1")
    assert not network_up("198.51.100.2")
    known.add("2001:db8::1")
    assert network_up("198.51.100.2")
    assert network_up()
