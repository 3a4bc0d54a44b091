"""How a running server is, in words."""

import io

import pytest
from rich.console import Console

from headrace.cli.server_view import headline, table
from headrace.server.stats.snapshot import Snapshot
from headrace.server.status import ServerStatus, State, WorkerStatus, by_protocol


def status(state: State = State.SERVING, **more: object) -> ServerStatus:
    fields: dict[str, object] = {"version": "1.2", "process": 77, "state": state, "seconds": 60.0, **more}
    return ServerStatus(**fields)  # type: ignore[arg-type]


def shown(current: ServerStatus) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(table(current))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("current", "line"),
    [
        (status(), "serving: 0 tunnels, for 1 min 0 s"),
        (status(figures=Snapshot(tunnels={"OSSH": 1})), "serving: 1 tunnel, for 1 min 0 s"),
        (
            status(State.PAUSED, paused=["load", "operator"]),
            "takes no new tunnels (load, operator): 0 tunnels",
        ),
        (status(State.DRAINING), "ends when its tunnels do: 0 tunnels"),
        (status(State.STARTING), "starting: 0 tunnels"),
    ],
)
def test_headlines(current: ServerStatus, line: str) -> None:
    assert headline(current).startswith(line)


def test_the_rest_of_it() -> None:
    figures = Snapshot(
        tunnels={"OSSH": 3, "SSH": 1},
        strangers=5,
        tcp_forwards=1200,
        dialing=2,
        resident_bytes=50_000_000,
        counts={
            "lost.killed": 1,
            "rejected.queue_full": 4,
            "bytes.tcp_up": 1500,
            "bytes.udp_up": 0,
            "tunnel.OSSH": 9,
        },
    )
    workers = [
        WorkerStatus(process=78, ready=True, seconds=60, losses=0),
        WorkerStatus(process=79, ready=False, seconds=0.5, losses=2),
        WorkerStatus(process=0, ready=False, seconds=3, losses=1),
    ]
    text = " ".join(shown(status(figures=figures, workers=workers)).split())
    for part in (
        "tunnels OSSH 3, SSH 1",
        "not logged in strangers 5",
        "port forwards TCP 1,200, connecting 2",
        "TCP 1.5 kB up, 0 B down memory 50.0 MB, of it 0 B to be sent",
        "workers lost killed 1",
        "connections rejected queue_full 4",
        "worker 0 process 78, for 1 min 0 s",
        "worker 1 process 79, starting for 500 ms, losses 2",
        "worker 2 lost 3.0 s ago, losses 1",
        "process 77, version 1.2",
    ):
        assert part in text


def test_countries_and_networks_are_left_out() -> None:
    """With few clients they would tell of one."""
    figures = Snapshot(tunnels={"OSSH/CH/AS1": 1, "OSSH/DE/AS2": 2}, connections={"SSH/CH/": 1}, strangers=1)
    assert by_protocol(figures) == Snapshot(tunnels={"OSSH": 3}, connections={"SSH": 1}, strangers=1)
