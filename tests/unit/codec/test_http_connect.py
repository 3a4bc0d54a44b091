"""HTTP CONNECT from the client's side: the bytes, log-ins, and proxies of every temper."""

import base64

import pytest

from headrace.base.errors import NetworkError
from headrace.base.rng import SeededRng
from headrace.codec.http_challenges import parse_challenges
from headrace.codec.http_connect import MAX_HEAD, MAX_PAGE, MAX_REQUESTS, HttpConnect
from headrace.codec.http_login_way import Identity
from headrace.codec.negotiation import CLOSED, WRONG_LOGIN, Connected, Reconnect, Refused, Send, Step

OK = b"HTTP/1.1 200 Connection established\r\n\r\n"
ASKED = b"CONNECT list.example:443 HTTP/1.1\r\nHost: list.example:443\r\n"
LOGIN = b"Proxy-Authorization: Basic " + base64.b64encode("ann:sëcret".encode()) + b"\r\n"
CHALLENGE = b'Proxy-Authenticate: Basic realm="x"\r\n'


def client(
    user: str = "ann",
    password: str = "sëcret",
    *,
    host: str = "list.example",
    headers: tuple[tuple[str, str], ...] = (),
) -> HttpConnect:
    return HttpConnect(host, 443, Identity(user, password, "proxy.example"), SeededRng(1), headers)


def refuse(page: bytes = b"log in", *headers: bytes, version: bytes = b"1.1") -> bytes:
    """Return a 407 with a page."""
    lines = [b"HTTP/" + version + b" 407 Whatever\r\n", *(headers or (CHALLENGE,))]
    return b"".join([*lines, b"Content-Length: %d\r\n\r\n" % len(page), page])


def receive(negotiation: HttpConnect, data: bytes, piece: int = 1 << 20) -> list[Step]:
    steps: list[Step] = []
    for start in range(0, len(data), piece):
        steps += negotiation.receive(data[start : start + piece])
        if steps:
            assert start + piece >= len(data)
    return steps


@pytest.mark.parametrize(
    ("host", "authority"),
    [
        ("list.example", "list.example:443"),
        ("192.0.2.7", "192.0.2.7:443"),
        ("2001:DB8::7", "[2001:db8::7]:443"),
        ("bücher.example", "xn--bcher-kva.example:443"),
    ],
)
def test_the_request(host: str, authority: str) -> None:
    expected = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
    assert client(host=host).start() == expected


@pytest.mark.parametrize("host", ["", "a b", "a\r\nX-Injected: 1", "\x80.example"])
def test_what_no_host_can_be_called(host: str) -> None:
    with pytest.raises(NetworkError, match="no host has such a name") as caught:
        client(host=host)
    assert "Injected" not in str(caught.value)


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_connected(piece: int) -> None:
    negotiation = client()
    assert negotiation.start() == ASKED + b"\r\n"  # no log-in before it is asked for
    assert receive(negotiation, OK, piece) == [Connected(b"")]


def test_what_came_along_is_handed_on() -> None:
    negotiation = client()
    negotiation.start()
    assert negotiation.receive(OK + b"SSH-2.0-x\r\n") == [Connected(b"SSH-2.0-x\r\n")]


@pytest.mark.parametrize(
    "headers", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"A: b\r\n" * 50]
)
def test_headers_of_a_success_mean_nothing(headers: bytes) -> None:
    negotiation = client()
    negotiation.start()
    assert negotiation.receive(b"HTTP/1.0 200 OK\r\n" + headers + b"\r\nhello") == [Connected(b"hello")]


def test_an_answer_may_be_announced() -> None:
    negotiation = client()
    negotiation.start()
    assert negotiation.receive(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK) == [Connected(b"")]


@pytest.mark.parametrize("status", [201, 204, 301, 400, 401, 403, 404, 502, 503])
def test_any_other_status_is_final(status: int) -> None:
    negotiation = client()
    negotiation.start()
    answer = f"HTTP/1.1 {status} secret.example\r\nContent-Length: 0\r\n\r\n".encode()
    (step,) = negotiation.receive(answer)
    assert isinstance(step, Refused)
    assert step.reason.startswith(f"the upstream proxy answered with status {status}: ")
    assert "secret" not in step.reason


@pytest.mark.parametrize("piece", [1, 7, 1000])
@pytest.mark.parametrize("page", [b"", b"log in", bytes(10_000)])
def test_a_login_on_the_same_connection(page: bytes, piece: int) -> None:
    negotiation = client()
    negotiation.start()
    assert receive(negotiation, refuse(page), piece) == [Send(ASKED + LOGIN + b"\r\n")]
    assert receive(negotiation, OK, piece) == [Connected(b"")]


def test_a_chunked_page() -> None:
    negotiation = client()
    negotiation.start()
    page = b"HTTP/1.1 407 x\r\n" + CHALLENGE + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert receive(negotiation, page, 1) == [Send(ASKED + LOGIN + b"\r\n")]


@pytest.mark.parametrize(
    "answer",
    [
        refuse(b"", CHALLENGE, b"Connection: close\r\n"),
        refuse(b"", CHALLENGE, b"Proxy-Connection: Close\r\n"),
        refuse(b"", CHALLENGE, version=b"1.0"),
        b"HTTP/1.1 407 x\r\n" + CHALLENGE + b"\r\n",  # the page ends with the connection
        refuse(bytes(MAX_PAGE + 1)),
    ],
    ids=["close", "proxy close", "1.0", "no length", "long page"],
)
def test_a_login_on_another_connection(answer: bytes) -> None:
    negotiation = client()
    negotiation.start()
    steps = negotiation.receive(answer) or negotiation.receive(b"")
    assert steps == [Reconnect()]
    assert negotiation.start() == ASKED + LOGIN + b"\r\n"
    assert negotiation.receive(OK) == [Connected(b"")]


@pytest.mark.parametrize("page", [b"", b"half of it"])
def test_a_connection_that_ends_in_the_page_is_replaced(page: bytes) -> None:
    negotiation = client()
    negotiation.start()
    assert negotiation.receive(b"HTTP/1.1 407 x\r\n" + CHALLENGE + b"Content-Length: 99\r\n\r\n" + page) == []
    assert negotiation.receive(b"") == [Reconnect()]


@pytest.mark.parametrize("answer", [refuse(), b"HTTP/1.0 401 Unauthorized\r\n\r\n"], ids=["407", "401"])
def test_a_login_is_tried_once(answer: bytes) -> None:
    negotiation = client()
    negotiation.start()
    negotiation.receive(refuse())
    (step,) = negotiation.receive(answer)
    assert step == WRONG_LOGIN


@pytest.mark.parametrize("user", ["", "ann"])
@pytest.mark.parametrize(
    "challenges",
    [
        (b'Proxy-Authenticate: Digest realm="x", nonce="Basic y", algorithm="UNKNOWN"\r\n',),
        (b"Proxy-Authenticate: Kerberos\r\n", b"Proxy-Authenticate: Negotiate\r\n"),
        (b"Proxy-Authenticate:\r\n",),
        (b"X: y\r\n",),
    ],
)
def test_a_login_we_cannot_make(user: str, challenges: tuple[bytes, ...]) -> None:
    negotiation = client(user, user)
    negotiation.start()
    (step,) = negotiation.receive(refuse(b"", *challenges))
    assert isinstance(step, Refused)
    expected = "offers no way to log in" if user else "write them into its URL"
    assert expected in step.reason


@pytest.mark.parametrize(
    "challenges",
    [
        (b"Proxy-Authenticate: Negotiate\r\n", b"proxy-authenticate: BASIC realm=x\r\n"),
        (b'Proxy-Authenticate: Digest realm="x", nonce="y", qop="auth-int", Basic realm="x"\r\n',),
        (b"Proxy-Authenticate: Basic\r\n",),
    ],
)
def test_basic_is_found_among_others(challenges: tuple[bytes, ...]) -> None:
    negotiation = client()
    negotiation.start()
    assert negotiation.receive(refuse(b"", *challenges)) == [Send(ASKED + LOGIN + b"\r\n")]


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"\x05\x00",
        b"HTTP/1.1 abc\r\n\r\n",
        b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)
def test_garbage(answer: bytes) -> None:
    negotiation = client()
    negotiation.start()
    (step,) = negotiation.receive(answer) or negotiation.receive(b"")
    assert isinstance(step, Refused)
    assert "as HTTP should" in step.reason or step == CLOSED


def test_an_endless_head_is_given_up() -> None:
    negotiation = client()
    negotiation.start()
    steps: list[Step] = []
    sent = 0
    while not steps:
        steps = negotiation.receive(b"HTTP/1.1 200 OK\r\n" if not sent else b"X: y\r\n" * 1000)
        sent += 6000
    assert isinstance(steps[0], Refused)
    assert sent < 2 * MAX_HEAD


def test_the_end_at_any_moment() -> None:
    for size in range(len(OK)):
        negotiation = client()
        negotiation.start()
        assert negotiation.receive(OK[:size]) == [] if size else True
        assert negotiation.receive(b"") == [CLOSED]


# ---- connections that go on, and that do not ----------------------------------------------------------


@pytest.mark.parametrize("header", [b"Connection: Keep-Alive\r\n", b"Proxy-Connection: keep-alive\r\n"])
def test_old_proxies_may_keep_the_connection(header: bytes) -> None:
    negotiation = client()
    negotiation.start()
    assert negotiation.receive(refuse(b"", CHALLENGE, header, version=b"1.0")) == [
        Send(ASKED + LOGIN + b"\r\n")
    ]
    assert negotiation.receive(b"HTTP/1.0 200 OK\r\n\r\nhello") == [Connected(b"hello")]


def test_a_proxy_that_closes_without_a_word_is_asked_again() -> None:
    """It had closed before our second request came; a new connection does not need the 407 any more."""
    negotiation = client()
    negotiation.start()
    assert negotiation.receive(refuse()) == [Send(ASKED + LOGIN + b"\r\n")]
    assert negotiation.receive(b"") == [Reconnect()]
    assert negotiation.start() == ASKED + LOGIN + b"\r\n"
    assert negotiation.receive(b"") == [CLOSED]


def test_half_an_answer_to_a_login_is_none() -> None:
    negotiation = client()
    negotiation.start()
    negotiation.receive(refuse())
    assert negotiation.receive(OK[:9]) == []
    assert negotiation.receive(b"") == [CLOSED]


def test_a_proxy_that_asks_for_ever() -> None:
    """Each nonce is stale as soon as it is used."""
    negotiation = client()
    negotiation.start()
    stale = b'Proxy-Authenticate: Digest realm="x", nonce="y", stale=true\r\n'
    for _ in range(MAX_REQUESTS - 1):
        (step,) = negotiation.receive(refuse(b"", stale))
        assert isinstance(step, Send)
    (step,) = negotiation.receive(refuse(b"", stale))
    assert isinstance(step, Refused)
    assert "again and again" in step.reason


def test_answers_that_come_too_early() -> None:
    """Both at once, before the log-in was sent: what it says counts all the same, in this order."""
    negotiation = client()
    negotiation.start()
    steps = negotiation.receive(refuse() + OK + b"hello")
    assert steps == [Send(ASKED + LOGIN + b"\r\n"), Connected(b"hello")]


# ---- which log-in -------------------------------------------------------------------------------------


def authorization(step: Step) -> bytes:
    assert isinstance(step, Send)
    lines = [line for line in step.data.split(b"\r\n") if line.startswith(b"Proxy-Authorization: ")]
    assert len(lines) == 1
    return lines[0].removeprefix(b"Proxy-Authorization: ")


NTLM = b"Proxy-Authenticate: NTLM\r\n"
DIGEST = b'Proxy-Authenticate: Digest realm="x", nonce="y", qop="auth"\r\n'
NO_CHALLENGE = b"Proxy-Authenticate: NTLM AAAA\r\n"


@pytest.mark.parametrize(
    ("challenges", "scheme"),
    [
        ((CHALLENGE, DIGEST, NTLM), b"NTLM"),
        ((CHALLENGE, DIGEST), b"Digest"),
        ((DIGEST.rstrip() + b", NTLM\r\n",), b"NTLM"),
        ((DIGEST.rstrip() + b", Basic realm=x\r\n",), b"Digest"),
        ((b"Proxy-Authenticate: Negotiate\r\n", CHALLENGE), b"Basic"),
    ],
)
def test_the_strongest_is_taken(challenges: tuple[bytes, ...], scheme: bytes) -> None:
    negotiation = client()
    negotiation.start()
    (step,) = negotiation.receive(refuse(b"", *challenges))
    assert authorization(step).split()[0] == scheme


@pytest.mark.parametrize("closing", [False, True])
def test_a_stronger_one_that_fails_makes_room(closing: bool) -> None:
    """NTLM is offered and then not understood; what else was offered at first is tried then."""
    negotiation = client()
    negotiation.start()
    (step,) = negotiation.receive(refuse(b"", CHALLENGE, DIGEST, NTLM))
    assert authorization(step).startswith(b"NTLM ")
    headers = (NO_CHALLENGE, b"Connection: close\r\n") if closing else (NO_CHALLENGE,)
    (step,) = negotiation.receive(refuse(b"", *headers))
    if closing:
        assert step == Reconnect()
        step = Send(negotiation.start())
    assert authorization(step).startswith(b"Digest ")
    (step,) = negotiation.receive(refuse(b"", DIGEST, CHALLENGE))
    assert step == WRONG_LOGIN  # and Basic is not tried with what is wrong


def test_nothing_is_left() -> None:
    negotiation = client()
    negotiation.start()
    negotiation.receive(refuse(b"", NTLM))
    (step,) = negotiation.receive(refuse(b"", NO_CHALLENGE))
    assert isinstance(step, Refused)
    assert "offers no way to log in" in step.reason


def test_digest_again_on_another_connection_has_another_number() -> None:
    negotiation = client()
    negotiation.start()
    (step,) = negotiation.receive(refuse(b"", DIGEST))
    first = authorization(step)
    assert negotiation.receive(b"") == [Reconnect()]
    second = authorization(Send(negotiation.start()))
    numbers = [parse_challenges([text.decode()])[0].parameters["nc"] for text in (first, second)]
    assert numbers == ["00000001", "00000002"]


# ---- headers of the user's own ------------------------------------------------------------------------


def test_custom_headers_go_with_every_request() -> None:
    negotiation = client(headers=(("X-Plan", "free"), ("x-plan", "größer"), ("User-Agent", "phone")))
    own = "X-Plan: free\r\nx-plan: größer\r\nUser-Agent: phone\r\n".encode()
    assert negotiation.start() == ASKED + own + b"\r\n"
    assert negotiation.receive(refuse()) == [Send(ASKED + own + LOGIN + b"\r\n")]


def test_a_host_of_ones_own_leaves_the_destination() -> None:
    expected = b"CONNECT list.example:443 HTTP/1.1\r\nHost: allowed.example\r\n\r\n"
    assert client(headers=(("hOST", "allowed.example"),)).start() == expected


def test_a_login_takes_the_place_of_a_custom_one() -> None:
    negotiation = client(headers=(("Proxy-Authorization", "Bearer abc"),))
    assert negotiation.start() == ASKED + b"Proxy-Authorization: Bearer abc\r\n\r\n"
    assert negotiation.receive(refuse()) == [Send(ASKED + LOGIN + b"\r\n")]


def test_no_program_is_named() -> None:
    assert b"user-agent" not in client().start().lower()


def test_nobody_sees_the_login_by_accident() -> None:
    assert repr(Identity("ann", "s3cret", "proxy.example")) == "Identity()"
