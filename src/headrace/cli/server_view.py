"""How a running server is, in words for a terminal."""

from rich.table import Table
from rich.text import Text

from headrace.cli.status_view import size, time_span
from headrace.cli.words import printable
from headrace.server.stats.names import FAMILIES
from headrace.server.status import ServerStatus, State, WorkerStatus

__all__ = ["headline", "table"]

_STATES = {
    State.STARTING: "starting",
    State.SERVING: "serving",
    State.PAUSED: "takes no new tunnels",
    State.DRAINING: "ends when its tunnels do",
}
#: What was carried, by the kind of its counter.
_CARRIED = (("TCP", "tcp"), ("UDP", "udp"), ("on the wire", "tunnel"))
#: What is worth a line when there is any of it, by the family of its counters.
_TROUBLE = ("lost", "rejected", "closed", "handshake_failed", "event_dropped")


def headline(status: ServerStatus) -> str:
    """Return what matters most, in a line."""
    tunnels = status.figures.established
    why = f" ({', '.join(status.paused)})" if status.paused else ""
    has = f"{tunnels:,} {'tunnel' if tunnels == 1 else 'tunnels'}"
    return printable(f"{_STATES[status.state]}{why}: {has}, for {time_span(status.seconds)}")


def table(status: ServerStatus) -> Table:
    """Return the rest, side by side with what it is."""
    figures = status.figures
    rows = [
        ("tunnels", _listed(figures.tunnels) if len(figures.tunnels) > 1 else ""),
        (
            "not logged in",
            _parts(
                ("handshakes", figures.handshakes),
                ("waiting", figures.queued),
                ("strangers", figures.strangers),
            ),
        ),
        (
            "port forwards",
            _parts(
                ("TCP", figures.tcp_forwards), ("UDP", figures.udp_forwards), ("connecting", figures.dialing)
            ),
        ),
        *((name, _both_ways(figures.counts, kind)) for name, kind in _CARRIED),
        ("memory", f"{size(figures.resident_bytes)}, of it {size(figures.buffered_bytes)} to be sent"),
        ("open files", f"{figures.open_files:,}" if figures.open_files else ""),
        *((_meaning(family), _listed(_members(figures.counts, family))) for family in _TROUBLE),
        *((f"worker {number}", _worker(worker)) for number, worker in enumerate(status.workers)),
        ("process", f"{status.process}, version {status.version}"),
    ]
    result = Table(box=None, show_header=False, pad_edge=False)
    result.add_column(style="bold", no_wrap=True)
    result.add_column(overflow="fold")
    for name, value in rows:
        if value:
            result.add_row(name, Text(printable(value)))
    return result


def _worker(worker: WorkerStatus) -> str:
    if not worker.process:
        state = f"lost {time_span(worker.seconds)} ago"
    else:
        state = (
            f"process {worker.process}, {'' if worker.ready else 'starting '}for {time_span(worker.seconds)}"
        )
    return f"{state}, losses {worker.losses}" if worker.losses else state


def _meaning(family: str) -> str:
    return FAMILIES[family].metric.replace("_", " ")


def _members(counts: dict[str, int], family: str) -> dict[str, int]:
    return {name.partition(".")[2]: count for name, count in counts.items() if name.startswith(f"{family}.")}


def _both_ways(counts: dict[str, int], kind: str) -> str:
    up, down = (counts.get(f"bytes.{kind}_{way}", 0) for way in ("up", "down"))
    return f"{size(up)} up, {size(down)} down" if up or down else ""


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()) if count)


def _parts(*parts: tuple[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in parts if count)
