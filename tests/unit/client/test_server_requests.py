"""What a server may ask of its client."""

import io
import json

import pytest

from headrace.base.clock import SYSTEM_CLOCK
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.server_requests import MAX_ALERT, ServerRequests


def ask(name: bytes, payload: bytes, *, alerts: bool = True) -> tuple[bytes | None, list[dict[str, object]]]:
    """Return the reply, and what was told meanwhile."""
    stream = io.StringIO()
    requests = ServerRequests(Notices(stream, SYSTEM_CLOCK, NoticeOptions(server_alerts=alerts)))
    reply = requests.answer(name, memoryview(payload))
    return reply, [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("reason", ["disallowed-traffic", "unsafe-traffic"])
def test_an_alert_is_told_and_answered_true(reason: str) -> None:
    alert = {"reason": reason, "subject": "malware", "action": ["https://example.org/help"], "more": 1}
    reply, (notice,) = ask(b"psiphon-alert", json.dumps(alert).encode())
    assert reply == b""
    assert notice["noticeType"] == "ServerAlert"
    assert notice["data"] == {
        "reason": reason,
        "subject": "malware",
        "actionURLs": ["https://example.org/help"],
    }


def test_an_alert_is_answered_even_where_nobody_wants_to_hear_of_it() -> None:
    assert ask(b"psiphon-alert", b'{"reason": "unsafe-traffic"}', alerts=False) == (b"", [])


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"reason": 1}',
        b'{"reason": "x", "action": "https://"}',
        b'{"reason": "\xff"}',
        b"[" * 100_000,
        b'{"reason": "' + b"x" * MAX_ALERT + b'"}',
    ],
)
def test_an_alert_that_cannot_be_read_is_refused(payload: bytes) -> None:
    assert ask(b"psiphon-alert", payload) == (None, [])


@pytest.mark.parametrize("name", [b"psiphon-osl", b"keepalive@openssh.com"])
def test_requests_that_are_answered_and_change_nothing(name: bytes) -> None:
    assert ask(name, b"\xff" * 100) == (b"", [])


@pytest.mark.parametrize(
    "name", [b"", b"psiphon-handshake", b"tcpip-forward", b"hostkeys-00@openssh.com", b"PSIPHON-ALERT"]
)
def test_anything_else_is_refused(name: bytes) -> None:
    assert ask(name, b'{"reason": "x"}') == (None, [])
