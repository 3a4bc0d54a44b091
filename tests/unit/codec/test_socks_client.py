"""SOCKS 4a and 5 from the client's side: the bytes, every outcome, and our own server side as the peer."""

from collections.abc import Callable

import pytest

from headrace.base.errors import NetworkError
from headrace.codec.negotiation import CLOSED, Connected, Negotiation, Refused, Send, Step
from headrace.codec.socks import Event, Reply, Request, SocksParser, failure_reply, success_reply
from headrace.codec.socks_client import Socks4aClient, Socks5Client

NAME = "list.example"
V4, V6 = "192.0.2.7", "2001:db8::7"
WANTS_A_LOGIN = "wants a user name and password: write them into its URL"


def negotiate(client: Negotiation, *answers: bytes, piece: int = 1 << 20) -> list[bytes | Step]:
    """Return what a client writes, and how it ends."""
    said: list[bytes | Step] = [client.start()]
    for answer in answers:
        for start in range(0, len(answer), piece):
            steps = client.receive(answer[start : start + piece])
            said += [step.data if isinstance(step, Send) else step for step in steps]
    return said


@pytest.mark.parametrize("piece", [1, 3, 100])
@pytest.mark.parametrize(
    ("host", "written"),
    [
        (NAME, b"\x04\x01\x01\xbb\0\0\0\x01ann\0list.example\0"),
        (V4, b"\x04\x01\x01\xbb\xc0\0\x02\x07ann\0"),
    ],
)
def test_socks4a(host: str, written: bytes, piece: int) -> None:
    said = negotiate(Socks4aClient(host, 443, "ann"), b"\0\x5a" + bytes(6), piece=piece)
    assert said == [written, Connected(b"")]


def test_socks4a_hands_on_what_came_along() -> None:
    assert negotiate(Socks4aClient(NAME, 1), b"\0\x5a" + bytes(6) + b"SSH-2.0-")[1:] == [
        Connected(b"SSH-2.0-")
    ]


@pytest.mark.parametrize("code", [0x5B, 0x5C, 0x5D, 0])
def test_socks4a_rejected(code: int) -> None:
    (step,) = negotiate(Socks4aClient(NAME, 1), bytes((0, code)))[1:]
    assert isinstance(step, Refused)
    assert "did not connect: it does not say why" in step.reason


@pytest.mark.parametrize("answer", [b"\x05\x5a", b"HTTP/1.1 400 Bad Request\r\n", b"\x04\x5a"])
def test_socks4a_garbage(answer: bytes) -> None:
    (step,) = negotiate(Socks4aClient(NAME, 1), answer)[1:]
    assert isinstance(step, Refused)
    assert "as SOCKS should" in step.reason


def test_socks4a_cannot_reach_ipv6() -> None:
    with pytest.raises(NetworkError, match=r"IPv6.*; use a proxy with SOCKS5 or HTTP"):
        Socks4aClient(V6, 443)


@pytest.mark.parametrize("make", [Socks4aClient, Socks5Client])
def test_names_in_other_scripts(make: Callable[[str, int], Negotiation]) -> None:
    assert b"xn--bcher-kva.example" in b"".join(
        data for data in negotiate(make("Bücher.example", 443), b"\x05\0") if isinstance(data, bytes)
    )


OPEN = b"\x05\x01\x00"
GRANTED = b"\x05\0\0\x01" + bytes(6)


@pytest.mark.parametrize("piece", [1, 3, 100])
@pytest.mark.parametrize(
    ("host", "where"),
    [
        (NAME, b"\x03\x0clist.example"),
        (V4, b"\x01\xc0\0\x02\x07"),
        (V6, b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x07"),
    ],
)
def test_socks5(host: str, where: bytes, piece: int) -> None:
    said = negotiate(Socks5Client(host, 443), b"\x05\0", GRANTED, piece=piece)
    assert said == [OPEN, b"\x05\x01\0" + where + b"\x01\xbb", Connected(b"")]


@pytest.mark.parametrize(
    "bound", [b"\x01" + bytes(4), b"\x04" + bytes(16), b"\x03\0", b"\x03\x05proxy"], ids=bytes.hex
)
@pytest.mark.parametrize("piece", [1, 100])
def test_socks5_whatever_address_was_bound(bound: bytes, piece: int) -> None:
    answers = (b"\x05\0", b"\x05\0\0" + bound + b"\x1f\x90")
    assert negotiate(Socks5Client(NAME, 1), *answers, piece=piece)[-1] == Connected(b"")
    said = negotiate(Socks5Client(NAME, 1), answers[0], answers[1] + b"SSH-2.0-")
    assert said[-1] == Connected(b"SSH-2.0-")


@pytest.mark.parametrize("piece", [1, 100])
def test_socks5_with_a_login(piece: int) -> None:
    client = Socks5Client(NAME, 1, "ann", "sëcret")
    said = negotiate(client, b"\x05\x02", b"\x01\0", GRANTED, piece=piece)
    assert said[:2] == [b"\x05\x02\0\x02", b"\x01\x03ann\x07s\xc3\xabcret"]
    assert said[-1] == Connected(b"")


def test_socks5_logs_in_only_where_asked_to() -> None:
    said = negotiate(Socks5Client(NAME, 1, "ann", "secret"), b"\x05\0", GRANTED)
    assert [data for data in said if isinstance(data, bytes) and b"ann" in data] == []
    assert said[-1] == Connected(b"")


@pytest.mark.parametrize(
    ("user", "answers", "reason"),
    [
        ("", [b"\x05\x02"], WANTS_A_LOGIN),
        ("", [b"\x05\xff"], WANTS_A_LOGIN),
        ("ann", [b"\x05\xff"], "no way to log in"),
        ("ann", [b"\x05\x01"], "no way to log in"),
        ("ann", [b"\x05\x02", b"\x01\x01"], "does not accept"),
        ("", [b"\x04\0"], "as SOCKS should"),
        ("", [b"HTTP/1.0 400"], "as SOCKS should"),
        ("", [b"\x05\0", b"\x04"], "as SOCKS should"),
        ("", [b"\x05\0", b"\x05\0\0\x02\0"], "as SOCKS should"),
        ("", [b"\x05\0", b"\x05\x05"], "did not connect: the connection was refused"),
        ("", [b"\x05\0", b"\x05\x01\0\x01" + bytes(6)], "did not connect: it does not say why"),
        ("", [b"\x05\0", b"\x05\xee"], "did not connect: it does not say why"),
    ],
)
def test_socks5_refused(user: str, answers: list[bytes], reason: str) -> None:
    step = negotiate(Socks5Client(NAME, 1, user, user and "secret"), *answers)[-1]
    assert isinstance(step, Refused)
    assert reason in step.reason
    assert "secret" not in step.reason


@pytest.mark.parametrize("code", range(1, 10))
def test_socks5_says_why(code: int) -> None:
    step = negotiate(Socks5Client(NAME, 1), b"\x05\0", bytes((5, code)))[-1]
    assert isinstance(step, Refused)
    assert ("does not say" in step.reason) == (code in (1, 9))


@pytest.mark.parametrize("make", [Socks4aClient, Socks5Client])
def test_what_no_host_can_be_called(make: Callable[[str, int], Negotiation]) -> None:
    for host in ("", "x" * 256, "a\0b", "a\nb"):
        with pytest.raises(NetworkError, match="no host has such a name"):
            make(host, 80)


@pytest.mark.parametrize("make", [Socks4aClient, Socks5Client])
def test_the_end_at_any_moment(make: Callable[[str, int], Negotiation]) -> None:
    answer = b"\0\x5a" + bytes(6) if make is Socks4aClient else b"\x05\0" + GRANTED
    for size in range(len(answer)):
        client = make(NAME, 80)
        assert all(isinstance(step, bytes) for step in negotiate(client, answer[:size]))
        assert client.receive(b"") == [CLOSED]


@pytest.mark.parametrize("make", [Socks4aClient, Socks5Client])
def test_it_begins_again_on_another_connection(make: Callable[[str, int], Negotiation]) -> None:
    client = make(NAME, 80)
    first = negotiate(client, b"\0" if make is Socks4aClient else b"\x05")
    answers = [b"\0\x5a" + bytes(6)] if make is Socks4aClient else [b"\x05\0", GRANTED]
    again = negotiate(client, *answers)
    assert first[0] == again[0]
    assert again[-1] == Connected(b"")


def test_nothing_follows_the_end() -> None:
    client = Socks5Client(NAME, 80)
    negotiate(client, b"\x05\xff")
    assert client.receive(b"\x05\0") == []


@pytest.mark.parametrize("host", [NAME, V4, V6])
@pytest.mark.parametrize(
    "make",
    [
        lambda host: Socks4aClient(host, 8443, "ann"),
        lambda host: Socks5Client(host, 8443),
        lambda host: Socks5Client(host, 8443, "ann", "secret"),
    ],
    ids=["4a", "5", "5 with a login"],
)
@pytest.mark.parametrize("granted", [True, False])
def test_our_own_server_side_understands(
    make: Callable[[str], Negotiation], host: str, granted: bool
) -> None:
    try:
        client = make(host)
    except NetworkError:
        assert host == V6
        return
    server = SocksParser()
    outgoing, outcome = client.start(), None
    while outcome is None:
        events: list[Event] = server.receive(outgoing)
        answer, outgoing = b"", b""
        for event in events:
            if isinstance(event, Request):
                assert (event.host, event.port) == (host, 8443)
                answer += success_reply(event.version) if granted else failure_reply(event.version)
            elif isinstance(event, Reply):
                answer += event.data
        for step in client.receive(answer):
            if isinstance(step, Send):
                outgoing += step.data
            else:
                outcome = step
    assert isinstance(outcome, Connected if granted else Refused)
