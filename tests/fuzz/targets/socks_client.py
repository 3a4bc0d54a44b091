"""What a SOCKS proxy answers: any bytes end somehow or are waited for, and cutting them changes nothing."""

from collections.abc import Callable

from headrace.codec.negotiation import Negotiation, Send, Step
from headrace.codec.socks_client import Socks4aClient, Socks5Client

SEEDS = [
    b"\x00\x00\x5a" + bytes(6) + b"payload",
    b"\x01\x05\x00\x05\x00\x00\x01" + bytes(6) + b"payload",
    b"\x02\x05\x02\x01\x00\x05\x00\x00\x03\x05proxy\x00\x50payload",
    b"\x02\x05\x02\x01\x00\x05\x00\x00\x04" + bytes(18),
]

_CLIENTS: list[Callable[[], Negotiation]] = [
    lambda: Socks4aClient("a.example", 80, "user"),
    lambda: Socks5Client("a.example", 80),
    lambda: Socks5Client("a.example", 80, "user", "password"),
]


def fuzz(data: bytes) -> None:
    """The first byte of `data` chooses what is spoken, the others are the proxy's."""
    make = _CLIENTS[data[0] % len(_CLIENTS)] if data else _CLIENTS[0]
    check(make, data[1:])


def check(make: Callable[[], Negotiation], data: bytes) -> None:
    """Negotiate with the data whole and byte by byte."""
    whole = make()
    whole.start()
    steps = whole.receive(data) if data else []
    assert all(isinstance(step, Send) for step in steps[:-1])
    over = bool(steps) and not isinstance(steps[-1], Send)
    if not over:
        assert len(whole.receive(b"")) == 1

    bytewise = make()
    bytewise.start()
    again: list[Step] = []
    for position in range(len(data)):
        again += bytewise.receive(data[position : position + 1])
        if again and not isinstance(again[-1], Send):
            break
    assert [type(step) for step in again] == [type(step) for step in steps]
