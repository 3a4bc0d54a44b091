"""What clients are told of refused destinations."""

import json
from collections import Counter
from collections.abc import Callable

from headrace.server.alerts import MOST, Alerts


class Client:
    def __init__(self) -> None:
        self.heard: list[dict[str, object]] = []
        self.counts: Counter[str] = Counter()
        self.pages = {"disallowed-traffic": ["https://example.org/rules"]}
        self.alerts = Alerts(self.request, lambda reason: self.pages.get(reason, ()), self.counts)

    def request(self, name: bytes, payload: bytes, reply: Callable[[bytes | None], None]) -> None:
        assert name == b"psiphon-alert"
        self.heard.append(json.loads(payload))
        reply(b"")


def test_each_alert_comes_once() -> None:
    client = Client()
    for _ in range(3):
        client.alerts.disallowed()
        client.alerts.unsafe(["botnet", "phishing"])
        client.alerts.unsafe(["botnet"])
    assert client.heard == [
        {"reason": "disallowed-traffic", "action": ["https://example.org/rules"]},
        {"reason": "unsafe-traffic", "subject": "botnet"},
        {"reason": "unsafe-traffic", "subject": "phishing"},
    ]
    assert client.counts == {"alert.disallowed-traffic": 1, "alert.unsafe-traffic": 2}


def test_one_with_other_pages_is_another() -> None:
    client = Client()
    client.alerts.disallowed()
    client.pages["disallowed-traffic"] = ["https://example.net/"]
    client.alerts.disallowed()
    assert [alert["action"] for alert in client.heard] == [
        ["https://example.org/rules"],
        ["https://example.net/"],
    ]


def test_nobody_reads_any_number_of_them() -> None:
    client = Client()
    client.alerts.unsafe(map(str, range(10 * MOST)))
    assert len(client.heard) == MOST
