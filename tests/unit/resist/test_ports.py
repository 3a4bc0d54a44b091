"""Ports that can be listened on."""

import socket

from headrace.resist.ports import unused_ports


def test_they_differ_and_are_free() -> None:
    ports = unused_ports(5)
    assert len(set(ports)) == 5
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()
