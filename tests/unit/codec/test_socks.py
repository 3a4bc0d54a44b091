"""SOCKS exchanges, each whole, byte by byte and with early payload."""

import pytest

from headrace.base.errors import LocalProtocolError
from headrace.codec.socks import (
    CONNECTION_REFUSED,
    Associate,
    Event,
    Refused,
    Reply,
    Request,
    SocksParser,
    associated_reply,
    failure_reply,
    success_reply,
)

GREETING = bytes.fromhex("05 01 00")
CHOSEN = Reply(b"\x05\x00")
IPV4 = bytes.fromhex("05 01 00 01 c0000201 01bb")
NAME = b"\x05\x01\x00\x03\x0bexample.org\x00\x50"
SOCKS4 = bytes.fromhex("04 01 01bb c0000201") + b"me\x00"
SOCKS4A = bytes.fromhex("04 01 0050 00000007") + b"\x00example.org\x00"

EXCHANGES: dict[str, tuple[bytes, list[Event]]] = {
    "IPv4": (GREETING + IPV4, [CHOSEN, Request("192.0.2.1", 443, 5, b"")]),
    "name": (GREETING + NAME, [CHOSEN, Request("example.org", 80, 5, b"")]),
    "IPv6": (
        GREETING + bytes.fromhex("05 01 00 04 20010db8000000000000000000000001 0016"),
        [CHOSEN, Request("2001:db8::1", 22, 5, b"")],
    ),
    "none preferred to password": (
        bytes.fromhex("05 02 02 00") + NAME,
        [CHOSEN, Request("example.org", 80, 5, b"")],
    ),
    "password": (
        bytes.fromhex("05 01 02 01 01 75 02 7071") + NAME,
        [Reply(b"\x05\x02"), Reply(b"\x01\x00"), Request("example.org", 80, 5, b"")],
    ),
    "SOCKS4": (SOCKS4, [Request("192.0.2.1", 443, 4, b"")]),
    "SOCKS4a": (SOCKS4A, [Request("example.org", 80, 4, b"")]),
    "UDP ASSOCIATE": (GREETING + bytes.fromhex("05 03 00 01 c0000201 d903"), [CHOSEN, Associate(0xD903)]),
    "UDP ASSOCIATE, port unknown": (GREETING + b"\x05\x03\x00\x03\x00\x00\x00", [CHOSEN, Associate(0)]),
    "SOCKS4 to 0.0.0.0": (bytes.fromhex("04 01 0050 00000000 00"), [Request("0.0.0.0", 80, 4, b"")]),
}

REFUSALS: dict[str, tuple[bytes, list[Event]]] = {
    "not SOCKS": (b"GET / HTTP/1.1", [Refused(b"")]),
    "no acceptable method": (bytes.fromhex("05 01 01"), [Refused(b"\x05\xff")]),
    "no method at all": (bytes.fromhex("05 00"), [Refused(b"\x05\xff")]),
    "empty user": (bytes.fromhex("05 01 02 01 00 01 70"), [Reply(b"\x05\x02"), Refused(b"\x01\x01")]),
    "empty password": (bytes.fromhex("05 01 02 01 01 75 00"), [Reply(b"\x05\x02"), Refused(b"\x01\x01")]),
    "password version": (bytes.fromhex("05 01 02 05"), [Reply(b"\x05\x02"), Refused(b"\x01\x01")]),
    "request version": (GREETING + b"\x04", [CHOSEN, Refused(failure_reply(5))]),
    "BIND": (GREETING + bytes.fromhex("05 02 00 01 c0"), [CHOSEN, Refused(failure_reply(5, 7))]),
    "command 4": (GREETING + bytes.fromhex("05 04 00 01 c0"), [CHOSEN, Refused(failure_reply(5, 7))]),
    "address type": (GREETING + bytes.fromhex("05 01 00 02 c0"), [CHOSEN, Refused(failure_reply(5, 8))]),
    "empty name": (GREETING + bytes.fromhex("05 01 00 03 00 0050"), [CHOSEN, Refused(failure_reply(5))]),
    "name with a space": (
        GREETING + b"\x05\x01\x00\x03\x03a b\x00\x50",
        [CHOSEN, Refused(failure_reply(5))],
    ),
    "name with a line end": (
        GREETING + b"\x05\x01\x00\x03\x03a\nb\x00\x50",
        [CHOSEN, Refused(failure_reply(5))],
    ),
    "name not UTF-8": (GREETING + b"\x05\x01\x00\x03\x01\xff\x00\x50", [CHOSEN, Refused(failure_reply(5))]),
    "SOCKS4 BIND": (b"\x04\x02", [Refused(b"")]),
    "SOCKS4 endless user": (SOCKS4[:8] + b"u" * 256, [Refused(b"")]),
    "SOCKS4a endless name": (SOCKS4A[:9] + b"n" * 256, [Refused(b"")]),
    "SOCKS4a empty name": (SOCKS4A[:9] + b"\x00", [Refused(failure_reply(4))]),
}


def run(pieces: list[bytes]) -> list[Event]:
    parser = SocksParser()
    events: list[Event] = []
    for piece in pieces:
        assert not parser.finished
        events += parser.receive(piece)
    return events


@pytest.mark.parametrize(("data", "expected"), [*EXCHANGES.values(), *REFUSALS.values()])
def test_whole(data: bytes, expected: list[Event]) -> None:
    assert run([data]) == expected


@pytest.mark.parametrize(("data", "expected"), EXCHANGES.values(), ids=EXCHANGES)
def test_byte_by_byte(data: bytes, expected: list[Event]) -> None:
    assert run([bytes([byte]) for byte in data]) == expected


@pytest.mark.parametrize(("data", "expected"), EXCHANGES.values(), ids=EXCHANGES)
def test_early_payload_is_handed_over(data: bytes, expected: list[Event]) -> None:
    *before, request = run([data + b"early\x00payload"])
    assert before == expected[:-1]
    if isinstance(request, Request):
        assert request.leftover == b"early\x00payload"
    else:
        assert request == expected[-1]


@pytest.mark.parametrize("cut", range(len(GREETING + NAME)))
def test_asks_for_more_until_complete(cut: int) -> None:
    assert not any(isinstance(event, Request | Refused) for event in run([(GREETING + NAME)[:cut]]))


@pytest.mark.parametrize("size", [1, 255])
def test_longest_names_and_user_ids(size: int) -> None:
    name = "n" * size
    socks5 = GREETING + b"\x05\x01\x00\x03" + bytes([size]) + name.encode() + b"\x00\x50"
    assert run([socks5])[-1] == Request(name, 80, 5, b"")
    socks4 = SOCKS4A[:8] + b"u" * size + b"\x00" + name.encode() + b"\x00"
    assert run([socks4]) == [Request(name, 80, 4, b"")]


def test_is_over_after_the_request() -> None:
    parser = SocksParser()
    parser.receive(SOCKS4)
    assert parser.finished
    with pytest.raises(LocalProtocolError):
        parser.receive(b"payload")


# ---- with a password --------------------------------------------------------------------------------------


def log_in(data: bytes) -> list[Event]:
    return SocksParser(lambda user, password: (user, password) == (b"me", b"secret")).receive(data)


def password(user: bytes, password: bytes) -> bytes:
    return bytes((1, len(user))) + user + bytes((len(password),)) + password


def test_the_right_password() -> None:
    greeting = b"\x05\x02\x00\x02"  # the client would do without as well
    events = log_in(greeting + password(b"me", b"secret") + NAME)
    assert events == [Reply(b"\x05\x02"), Reply(b"\x01\x00"), Request("example.org", 80, 5, b"")]


@pytest.mark.parametrize(
    ("user", "secret"),
    [(b"me", b"Secret"), (b"you", b"secret"), (b"me", b"secret\x00"), (b"me", b"s"), (b"", b"")],
)
def test_a_wrong_password(user: bytes, secret: bytes) -> None:
    assert log_in(b"\x05\x01\x02" + password(user, secret) + NAME) == [
        Reply(b"\x05\x02"),
        Refused(b"\x01\x01"),
    ]


@pytest.mark.parametrize(
    ("data", "reply"),
    [(GREETING + NAME, b"\x05\xff"), (SOCKS4, failure_reply(4)), (SOCKS4A, failure_reply(4)), (b"G", b"")],
)
def test_no_way_around_the_password(data: bytes, reply: bytes) -> None:
    assert log_in(data) == [Refused(reply)]


# ---- replies ----------------------------------------------------------------------------------------------


def test_replies() -> None:
    assert associated_reply("192.0.2.1", 0xD903) == bytes.fromhex("05 00 00 01 c0000201 d903")
    assert associated_reply("fe80::1%eth0", 1) == bytes.fromhex("05 00 00 04 fe80" + "00" * 13 + "01 0001")
    assert success_reply(5) == bytes.fromhex("05 00 00 01 00000000 0000")
    assert success_reply(4) == bytes.fromhex("00 5a 0000 00000000")
    assert failure_reply(5, CONNECTION_REFUSED) == bytes.fromhex("05 05 00 01 00000000 0000")
    assert failure_reply(4, CONNECTION_REFUSED) == bytes.fromhex("00 5b 0000 00000000")
