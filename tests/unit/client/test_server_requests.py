"""What a server may ask of its client."""

import base64
import io
import json
from collections.abc import Iterator

import pytest

from headrace.base.clock import SYSTEM_CLOCK
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.server_requests import MAX_ALERT, MAX_SEEDS, ServerRequests
from headrace.store.client.store import ClientStore


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


def test_a_keep_alive_is_answered_and_changes_nothing() -> None:
    assert ask(b"keepalive@openssh.com", b"\xff" * 100) == (b"", [])


@pytest.mark.parametrize(
    "name", [b"", b"psiphon-handshake", b"tcpip-forward", b"hostkeys-00@openssh.com", b"PSIPHON-ALERT"]
)
def test_anything_else_is_refused(name: bytes) -> None:
    assert ask(name, b'{"reason": "x"}') == (None, [])


# ---- keys for obfuscated lists ----------------------------------------------------------------------------


class Seeded:
    """A client that keeps keys; `wakes` counts how often new ones were announced."""

    def __init__(self, *, show: bool = True) -> None:
        self.store = ClientStore.open(None, SYSTEM_CLOCK)
        self.wakes = 0
        self._stream = io.StringIO()
        notices = Notices(self._stream, SYSTEM_CLOCK, NoticeOptions(diagnostics=True))
        self._requests = ServerRequests(notices, self.store, self._wake, show_keys=show)

    def _wake(self) -> None:
        self.wakes += 1

    def ask(self, request: object) -> bytes | None:
        return self._requests.answer(b"psiphon-osl", memoryview(json.dumps(request).encode()))

    @property
    def told(self) -> list[dict[str, object]]:
        notices = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [notice["data"] for notice in notices if notice["noticeType"] == "SLOKSeeded"]


@pytest.fixture
def client() -> Iterator[Seeded]:
    seeded = Seeded()
    yield seeded
    seeded.store.close()


def slok(number: int) -> dict[str, str]:
    return {"ID": text(number), "Key": text(number + 100)}


def text(number: int) -> str:
    return base64.b64encode(raw(number)).decode()


def raw(number: int) -> bytes:
    return bytes([number]) * 32


def seeds(*numbers: int, **more: object) -> dict[str, object]:
    return {"seed_payload": {"SLOKs": [slok(number) for number in numbers]}, **more}


def test_keys_are_kept_told_and_announced_once(client: Seeded) -> None:
    assert client.ask(seeds(1, 2)) == b""
    assert client.ask(seeds(2)) == b""
    assert (client.store.sloks.get(raw(1)), client.store.sloks.get(raw(2))) == (raw(101), raw(102))
    assert client.wakes == 1
    assert client.told == [
        {"slokID": text(1), "duplicate": False},
        {"slokID": text(2), "duplicate": False},
        {"slokID": text(2), "duplicate": True},
    ]


def test_a_server_may_have_keys_forgotten_first(client: Seeded) -> None:
    client.ask(seeds(1))
    assert client.ask(seeds(2, clear_local_sloks=True)) == b""
    assert client.store.sloks.get(raw(1)) is None
    assert client.store.sloks.get(raw(2)) == raw(102)
    assert client.ask({"clear_local_sloks": True}) == b""
    assert client.store.sloks.get(raw(2)) is None


def test_keys_are_told_only_where_somebody_asked_for_it() -> None:
    quiet = Seeded(show=False)
    quiet.ask(seeds(1))
    assert quiet.store.sloks.get(raw(1)) == raw(101)
    assert quiet.told == []
    quiet.store.close()


@pytest.mark.parametrize("request_", [{}, {"seed_payload": None}, {"seed_payload": {"SLOKs": None}}, seeds()])
def test_a_request_without_keys_is_answered(client: Seeded, request_: object) -> None:
    assert client.ask(request_) == b""
    assert client.wakes == 0


@pytest.mark.parametrize(
    "request_",
    [
        [],
        "text",
        {"seed_payload": []},
        {"seed_payload": {"SLOKs": [{}]}},
        {"seed_payload": {"SLOKs": [slok(1), {"ID": "!", "Key": text(1)}]}},
        {"seed_payload": {"SLOKs": [slok(1), {"ID": text(2), "Key": text(2)[:-4]}]}},
        {"seed_payload": {"SLOKs": [slok(1), {"ID": text(2), "Key": 7}]}},
        seeds(1, clear_local_sloks="yes"),
        seeds(*[1] * (MAX_SEEDS // 100)),
    ],
)
def test_keys_that_cannot_be_read_are_refused_whole(client: Seeded, request_: object) -> None:
    assert client.ask(request_) is None
    assert client.store.sloks.get(raw(1)) is None


def test_without_a_store_keys_are_taken_and_dropped() -> None:
    assert ask(b"psiphon-osl", json.dumps(seeds(1)).encode()) == (b"", [])
