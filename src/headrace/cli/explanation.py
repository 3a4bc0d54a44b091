"""What became of the last establishment, in words: what was tried, how far it got, and what that hints at."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from headrace.cli.status_view import time_span
from headrace.cli.words import printable
from headrace.establishment.journal import Outcome, Record, Trial
from headrace.establishment.stages import Stage

__all__ = ["conclusion", "headline", "hints", "lines", "table", "table_width"]

#: How far an attempt got, and no further.
_REACHED: Final[Mapping[Stage, str]] = {
    Stage.DIALLING: "no connection",
    Stage.CONNECTED: "connected, heard nothing",
    Stage.HEARD: "heard something",
    Stage.KEYED: "agreed on keys",
    Stage.LOGGED_IN: "logged in",
    Stage.LIVE: "passed the liveness test",
    Stage.ACTIVE: "ready for use",
}
_ENDED: Final[Mapping[Outcome | None, str]] = {
    Outcome.KEPT: "in use",
    Outcome.DISCARDED: "not needed: another was faster",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "given up: it was not needed any more",
    Outcome.SKIPPED: "not tried",
    None: "under way",
}
#: What it hints at when attempts fail at a stage.
_HINTS: Final[Mapping[Stage, str]] = {
    Stage.DIALLING: "no connection was made: the server is off, its address is blocked, or we are offline",
    Stage.CONNECTED: "a connection was made, and nothing came back: what was sent may have been filtered, or "
    "the server has another key by now",
    Stage.HEARD: "something came back, and no keys were agreed on: the connection was cut or changed after "
    "its first bytes, or somebody else answers at the address",
    Stage.KEYED: "the right server was reached; it refused the log-in, or the connection was cut during it",
    Stage.LOGGED_IN: "the liveness test failed: the connection was cut or slowed down once data flowed",
    Stage.LIVE: "the handshake with the network failed, last of all",
    Stage.ACTIVE: "the tunnel was ready, and failed then",
}
_STYLES: Final[Mapping[Outcome | None, str]] = {Outcome.KEPT: "green", Outcome.FAILED: "red", None: "yellow"}
#: How every error of the upstream proxy begins: it says what to do, and nothing of the server.
_PROXY_DID_IT: Final = "the upstream proxy "
_NOBODY_HINT: Final = (
    "Nobody was tried: no server is known, or none that may be. A region that was chosen (EgressRegion) and "
    "limits of protocols and ports leave servers out; lists of more servers may not have come yet."
)
#: The table's last column, the columns of a terminal that it needs, and those between it and the others.
_LAST, _ROOM, _GAP = "how it ended", 24, 2
#: Attempts that have to come to nothing before it is likely that the machine is offline.
_MANY = 3


def headline(record: Record) -> str:
    """Return how it ended, or stands."""
    when = datetime.fromtimestamp(record.begun).strftime("%Y-%m-%d %H:%M:%S")
    count = len(record.trials) + sum(record.earlier.values())
    tried = f"{count:,} {'attempt' if count == 1 else 'attempts'}"
    if not record.finished:
        return f"begun {when}, under way for {time_span(record.seconds)}, {tried}"
    if record.connected:
        return f"begun {when}, connected after {time_span(record.seconds)} and {tried}"
    reason = f": {record.reason}" if record.reason else ""
    return printable(f"begun {when}, no tunnel after {time_span(record.seconds)} and {tried}{reason}")


def table(trials: Sequence[Trial]) -> Table:
    """Return attempts, one a row; a column in which all are empty is left out."""
    cells = _cells(trials)
    result = Table(box=None, header_style="bold", pad_edge=False)
    for name in cells:
        right = name in ("no.", "began", "took")
        result.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=name != _LAST)
    for trial, *row in zip(trials, *cells.values(), strict=True):
        style = _STYLES.get(trial.outcome, "")
        result.add_row(*(Text(cell, style=style) for cell in row))
    return result


def table_width(trials: Sequence[Trial]) -> int:
    """Return how many columns of a terminal the table needs: only its last cells may be broken."""
    widths = {name: max(map(cell_len, [name, *cells])) for name, cells in _cells(trials).items()}
    return sum(widths.values()) - max(0, widths[_LAST] - _ROOM) + _GAP * (len(widths) - 1)


def _cells(trials: Sequence[Trial]) -> dict[str, list[str]]:
    """Return the table's cells by the names of its columns."""
    cells = {
        "no.": [str(trial.number) for trial in trials],
        "server": [trial.server for trial in trials],
        "region": [trial.region for trial in trials],
        "over": [_over(trial) for trial in trials],
        "began": [time_span(trial.began) for trial in trials],
        "took": [time_span(trial.took) if trial.outcome is not Outcome.SKIPPED else "" for trial in trials],
        "got to": [_REACHED[trial.stage] if trial.outcome is not Outcome.SKIPPED else "" for trial in trials],
        _LAST: [_end(trial) for trial in trials],
    }
    return {name: list(map(printable, column)) for name, column in cells.items() if any(column)}


def lines(trials: Sequence[Trial]) -> list[str]:
    """Return the same for a terminal that is too narrow for a table."""
    return [
        printable(
            f"{trial.number}. "
            + ", ".join(filter(None, [trial.server, trial.region, _over(trial), _REACHED[trial.stage]]))
            + f": {_end(trial)}"
        )
        for trial in trials
    ]


def conclusion(record: Record) -> list[str]:
    """Return how many attempts ended in which way."""
    counts = Counter(record.earlier)
    counts.update(trial.outcome for trial in record.trials if trial.outcome is not None)
    under_way = sum(trial.outcome is None for trial in record.trials)
    lines = [f"{counts[outcome]:6,} {_ENDED[outcome]}" for outcome in Outcome if counts[outcome]]
    return [*lines, f"{under_way:6,} {_ENDED[None]}"] if under_way else lines


def hints(record: Record) -> list[str]:
    """Return what the failures hint at, those of the upstream proxy first, then the most frequent."""
    failures = [trial for trial in record.trials if trial.outcome is Outcome.FAILED]
    by_proxy = Counter(trial.reason for trial in failures if trial.reason.startswith(_PROXY_DID_IT))
    failed = Counter(trial.stage for trial in failures if trial.reason not in by_proxy)
    lines = [printable(f"{count:6,} {reason}") for reason, count in by_proxy.most_common()]
    lines += [f"{count:6,} {_HINTS[stage]}" for stage, count in failed.most_common()]
    if set(failed) == {Stage.DIALLING} and failed.total() >= _MANY and not record.connected:
        lines.append(
            "Not one connection was made. See whether this machine is online, and whether it needs a proxy "
            "to get out: --upstream-proxy names one."
        )
    if not record.trials and not record.earlier and not record.connected:
        lines.append(_NOBODY_HINT)
    return lines


def _over(trial: Trial) -> str:
    marks = [
        f"prefix {trial.prefix}" if trial.prefix else "",
        "as before" if trial.is_replay else "",
        "head start" if trial.head_start else "",
    ]
    return ", ".join([trial.protocol, *filter(None, marks)])


def _end(trial: Trial) -> str:
    if not trial.reason:
        return _ENDED[trial.outcome]
    return trial.reason if trial.outcome is Outcome.FAILED else f"{_ENDED[trial.outcome]}: {trial.reason}"
