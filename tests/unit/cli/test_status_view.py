"""A client's status in words."""

import io
from typing import Any

import pytest
from rich.console import Console

from headrace.cli.status_view import advice, headline, progress_line, size, table, time_span
from headrace.client.status import State, Status


def status(state: State = State.CONNECTED, **fields: Any) -> Status:
    return Status(state=state, since=1_700_000_000.0, seconds=75.0, **fields)


def rendered(current: Status) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=100).print(table(current))
    return [" ".join(line.split()) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("current", "text"),
    [
        (status(), "connected for 1 min 15 s"),
        (
            status(server_region="NL", protocol="OSSH", tunnels=2),
            "connected to a server in NL over OSSH for 1 min 15 s, 2 tunnels",
        ),
        (status(State.CONNECTING, attempts=1), "connecting for 1 min 15 s, 1 attempt"),
        (status(State.RECONNECTING, attempts=2000), "reconnecting for 1 min 15 s, 2,000 attempts"),
        (status(State.STOPPING), "disconnecting"),
        (status(State.ENDED), "disconnected"),
        (status(server_region="\x1b[2J"), "connected to a server in �[2J for 1 min 15 s"),
    ],
)
def test_headlines(current: Status, text: str) -> None:
    assert headline(current) == text


def test_progress_names_the_regions_most_tried() -> None:
    regions = {"": 50, "NL": 2, "DE": 9, "AA": 2, "BB": 1, "CC": 1, "DD": 1}
    line = progress_line(status(State.CONNECTING, attempts=66, attempt_regions=regions))
    assert line == "connecting: 66 attempts in DE, AA, NL, BB, CC"
    assert progress_line(status(State.CONNECTING)) == "connecting: 0 attempts"


def test_what_is_known_is_shown_and_what_is_not_is_left_out() -> None:
    assert rendered(status()) == []
    assert rendered(
        status(
            ports={"socks": 1080, "http": 8080},
            client_region="TM",
            egress_regions=["DE", "NL"],
            sent=1500,
            received=2_500_000,
            upgrade="200",
            homepages=["https://a.example/", "https://b.example/\x1b]0;x\x07"],
            problem="the disk is full",
            process=7,
        )
    ) == [
        "SOCKS proxy 127.0.0.1:1080",
        "HTTP proxy 127.0.0.1:8080",
        "your region TM",
        "regions to choose from DE, NL",
        "sent 1.5 kB",
        "received 2.5 MB",
        "upgrade version 200 is there",
        "home page https://a.example/",
        "home page https://b.example/�]0;x�",
        "problem the disk is full",
        "process 7",
    ]


def test_a_region_that_the_server_cannot_tell() -> None:
    assert rendered(status(client_region="None")) == []


def test_what_to_do_now() -> None:
    both = status(ports={"socks": 1080, "http": 8080})
    assert advice(both, "") == [
        "curl --proxy socks5h://127.0.0.1:1080 https://example.com/",
        "headrace status",
        "headrace disconnect",
    ]
    http = status(ports={"http": 8080}, address="::1")
    assert advice(http, " --name work") == [
        "curl --proxy http://[::1]:8080 https://example.com/",
        "headrace status --name work",
        "headrace disconnect --name work",
    ]
    assert len(advice(status(), "")) == 2


def test_proxies_on_unix_sockets() -> None:
    shown = status(paths={"socks": "/run/a b/socks", "http": "@http"})
    assert rendered(shown) == ["SOCKS proxy /run/a b/socks", "HTTP proxy @http"]
    assert advice(shown, "")[0] == "curl --proxy socks5h://localhost/run/a%20b/socks https://example.com/"
    assert len(advice(status(paths={"socks": "@socks"}), "")) == 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.25, "250 ms"),
        (3.14, "3.1 s"),
        (59.4, "59 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_time_spans(seconds: float, text: str) -> None:
    assert time_span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (5e6, "5.0 MB"), (7e9, "7.0 GB"), (8e15, "8000.0 TB")],
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text
