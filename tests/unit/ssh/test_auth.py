"""Password authentication, message by message."""

from typing import Any

import pytest
from tests.unit.ssh.tools import QUICK, connected, inject, quick_pair, refused

from headrace.ssh import numbers
from headrace.ssh.auth import MAX_ATTEMPTS
from headrace.ssh.wire import Reader, boolean, string
from headrace.testing.peers import SshPair

SERVICE = bytes((numbers.SERVICE_REQUEST,)) + string(b"ssh-userauth")


def request(
    user: bytes = b"user",
    password: bytes = b"word",
    service: bytes = b"ssh-connection",
    method: bytes = b"password",
    change: bool = False,
) -> bytes:
    head = bytes((numbers.USERAUTH_REQUEST,)) + string(user) + string(service) + string(method)
    return head + boolean(change) + string(password)


def none_request(service: bytes = b"ssh-connection") -> bytes:
    return bytes((numbers.USERAUTH_REQUEST,)) + string(b"user") + string(service) + string(b"none")


class Scripted:
    """A pair whose client does not log in by itself; what it hears is in `heard`."""

    def __init__(self, **options: Any) -> None:
        self.pair = quick_pair(**options)
        self.heard: list[bytes] = []
        client = self.pair.client.transport
        client.ready = lambda: None
        for number in range(50, 256):
            client.table[number] = lambda payload: self.heard.append(bytes(payload))
        client.table[numbers.SERVICE_ACCEPT] = lambda payload: self.heard.append(bytes(payload))
        client.table[numbers.UNIMPLEMENTED] = lambda payload: self.heard.append(bytes(payload))
        self.pair.start().run()

    def say(self, *payloads: bytes) -> list[int]:
        """Send payloads to the server; return the numbers of its answers."""
        self.heard.clear()
        inject(self.pair.client, self.pair.server, *payloads)
        self.pair.run()
        return [payload[0] for payload in self.heard]

    @property
    def logged_in(self) -> bool:
        return self.pair.server.connection is not None


@pytest.mark.parametrize("step", [1, 1 << 20])
def test_the_right_password(step: int) -> None:
    pair = quick_pair().start()
    pair.run(step)
    assert pair.outcome is True


@pytest.mark.parametrize("step", [1, 1 << 20])
def test_the_wrong_password(step: int) -> None:
    pair = quick_pair(password="wrong").start()
    pair.run(step)
    assert pair.outcome is False
    assert pair.server.connection is None


def test_the_client_spares_a_round_trip() -> None:
    """Service request and password leave together with the client's NEWKEYS."""
    pair = quick_pair().start()
    rounds = 0
    while pair.outcome is None:
        upward, downward = pair.client.take(), pair.server.take()
        assert upward or downward
        pair.server.feed(upward)
        pair.client.feed(downward)
        rounds += 1
    assert rounds == 5  # KEXINITs; our value; the server's value and NEWKEYS; NEWKEYS and log-in; success


def test_a_none_attempt_comes_first_at_most_clients() -> None:
    scripted = Scripted()
    assert scripted.say(SERVICE) == [numbers.SERVICE_ACCEPT]
    assert scripted.say(none_request()) == [numbers.USERAUTH_FAILURE]
    reader = Reader(scripted.heard[-1][1:])
    assert reader.name_list() == ("password",)
    assert reader.boolean() is False
    assert scripted.say(request()) == [numbers.USERAUTH_SUCCESS]
    assert scripted.logged_in


@pytest.mark.parametrize(
    "attempt",
    [
        request(password=b"wrong"),
        request(user=b"root"),
        request(service=b"ssh-other"),
        request(method=b"publickey"),
        request(method=b"keyboard-interactive"),
        request(change=True),
        none_request(b"ssh-other"),
    ],
)
def test_attempts_that_fail(attempt: bytes) -> None:
    scripted = Scripted()
    assert scripted.say(SERVICE, attempt) == [numbers.SERVICE_ACCEPT, numbers.USERAUTH_FAILURE]
    assert not scripted.logged_in


def test_attempts_are_capped() -> None:
    asked: list[str] = []

    def check(user: str, password: str) -> bool:
        asked.append(password)
        return password == "word"

    scripted = Scripted(check=check)
    scripted.say(SERVICE)
    for _ in range(MAX_ATTEMPTS - 1):
        assert scripted.say(request(password=b"wrong")) == [numbers.USERAUTH_FAILURE]
    with refused(14, "too many"):
        scripted.say(request(password=b"wrong"))
    assert len(asked) == MAX_ATTEMPTS


def test_the_last_attempt_may_succeed() -> None:
    scripted = Scripted()
    scripted.say(SERVICE, *[none_request()] * (MAX_ATTEMPTS - 1))
    assert scripted.say(request()) == [numbers.USERAUTH_SUCCESS]


@pytest.mark.parametrize(
    "attempt",
    [
        request(user=b"\xff"),
        request(password=b"\xff"),
        request() + b"\0",
        *(request()[:size] for size in range(1, len(request()))),
    ],
)
def test_malformed_attempts(attempt: bytes) -> None:
    scripted = Scripted()
    with refused(2):
        scripted.say(SERVICE, attempt)
    assert not scripted.logged_in


@pytest.mark.parametrize("service", [b"ssh-connection", b"", b"ssh-userauth\0"])
def test_unknown_services(service: bytes) -> None:
    with refused(7):
        Scripted().say(bytes((numbers.SERVICE_REQUEST,)) + string(service))


def test_an_attempt_before_the_service_is_not_understood() -> None:
    scripted = Scripted()
    assert scripted.say(request()) == [numbers.UNIMPLEMENTED]
    assert not scripted.logged_in


def test_one_service_request_only() -> None:
    scripted = Scripted()
    scripted.say(SERVICE)
    with refused(2):
        scripted.say(SERVICE)


def test_nobody_logs_in_twice() -> None:
    """A second log-in would replace the connection layer under its open channels."""
    scripted = Scripted()
    scripted.say(SERVICE, request())
    first = scripted.pair.server.connection
    assert scripted.say(request(), request(password=b"wrong"), none_request()) == []
    with refused(2):
        scripted.say(SERVICE)
    assert scripted.pair.server.connection is first


@pytest.mark.parametrize("number", [80, 90, 94, 98, 127, 128, 200, 255])
def test_upper_layers_before_the_log_in_end_the_connection(number: int) -> None:
    with refused(2, f"message {number} does not belong"):
        Scripted().say(SERVICE, bytes((number,)))


@pytest.mark.parametrize("number", [83, 101, 127, 128, 255])
def test_unknown_messages_after_the_log_in_are_answered(number: int) -> None:
    scripted = Scripted()
    assert scripted.say(SERVICE, request(), bytes((number,))) == [
        numbers.SERVICE_ACCEPT,
        numbers.USERAUTH_SUCCESS,
        numbers.UNIMPLEMENTED,
    ]


def test_requests_right_behind_the_password_are_heard() -> None:
    answered: list[bytes] = []

    def answer(name: bytes, payload: memoryview) -> bytes:
        answered.append(name)
        return b""

    scripted = Scripted(answer=answer)
    early = bytes((numbers.GLOBAL_REQUEST,)) + string(b"early") + boolean(True)
    assert scripted.say(SERVICE, request(), early)[-1] == numbers.REQUEST_SUCCESS
    assert answered == [b"early"]


# ---- the client against a server of its own mind --------------------------------------------------------


def waiting_client() -> SshPair:
    """Return a pair whose client has sent its password and whose server has said nothing yet."""
    pair = quick_pair()
    pair.server.transport.ready = lambda: None
    pair.server.transport.table[numbers.SERVICE_REQUEST] = lambda payload: None
    pair.server.transport.table[numbers.USERAUTH_REQUEST] = lambda payload: None
    pair.start().run()
    assert pair.outcome is None
    return pair


def test_a_banner_and_a_missing_service_answer_do_not_matter() -> None:
    pair = waiting_client()
    banner = bytes((numbers.USERAUTH_BANNER,)) + string(b"hello") + string(b"")
    inject(pair.server, pair.client, banner, bytes((numbers.USERAUTH_SUCCESS,)))
    assert pair.outcome is True


@pytest.mark.parametrize("number", [numbers.USERAUTH_SUCCESS, numbers.USERAUTH_FAILURE])
@pytest.mark.parametrize("again", [6, 51, 52])
def test_the_answer_comes_once(number: int, again: int) -> None:
    pair = waiting_client()
    inject(pair.server, pair.client, bytes((number,)))
    with refused(2, "does not belong"):
        inject(pair.server, pair.client, bytes((again,)))


def test_a_password_change_request_is_not_understood() -> None:
    pair = waiting_client()
    inject(pair.server, pair.client, bytes((60,)) + string(b"new password") + string(b""))
    assert pair.outcome is None


def test_logging_in_takes_the_offer_as_it_is() -> None:
    assert connected(QUICK).outcome is True
