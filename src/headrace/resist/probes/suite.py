"""All probes, as rows of the table: those of a server that runs, and those of our own code in this process.

A real server waits a minute or two, and so does each probe. Where that takes too long the server is told to
wait less (`SSHHandshakeTimeoutMilliseconds`); everything else about its times goes with that.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from headrace.base.rng import Rng, SeededRng
from headrace.obfuscation.default_prefix import default_prefixes
from headrace.resist.probes.kinds import FULL, Material, probes_of
from headrace.resist.probes.naive import naive_server
from headrace.resist.probes.probe import ProbeResult
from headrace.resist.probes.recording import Client
from headrace.resist.probes.replays import FORGOTTEN, replay_cells
from headrace.resist.probes.verdicts import VERSION, rows
from headrace.resist.probes.wire import ProbeTarget, concurrent_replays, run_probes, send_probes
from headrace.resist.probes.work import forgeries, genuine, work
from headrace.resist.report import Row
from headrace.resist.stock import running_stock_server
from headrace.resist.subjects import running_server
from headrace.server.patience import limit_of

__all__ = ["inner_rows", "our_rows", "probe_rows", "stock_rows"]

#: Connections of a measurement from which on the full sets are sent, and a server has its own patience.
_FULL_FROM: Final = 2_000
_SHORT_LIMIT: Final = 2.0
#: What servers of the deployed kind wait, all of them.
_STOCK_LIMIT: Final = 30.0

_CONTROL_LIMIT: Final = 2.0
_CONTROL_COUNT: Final = 300
#: Of the full sets: replays in each cell, forgeries, connections whose work is measured.
_REPLAYS: Final = 100
_FORGERIES: Final = 100_000
_WORKED: Final = 2_000
_LEAST: Final = 10
#: How much dearer a probe may be than a client, and how much later read at the 99th percentile, in seconds.
_DEARER: Final = 2.0
_LATER: Final = 0.001


async def our_rows(
    directory: Path, connections: int, *, seed: int = 1, tell: Callable[[int], None] = lambda done: None
) -> list[Row]:
    """Run a server of ours with its files in `directory`, send it about so many probes, or the full sets.

    Raises OperatorError if it does not start.
    """
    full = connections >= _FULL_FROM
    share = 1.0 if full else connections / FULL["P1"]
    shortened = {} if full else {"SSHHandshakeTimeoutMilliseconds": round(_SHORT_LIMIT * 1000)}
    async with running_server(directory, IrregularTunnelsPerMinute=0, **shortened) as server:
        limit = limit_of(server.keyword) if full else _SHORT_LIMIT
        target = ProbeTarget(server.port, server.keyword, limit=limit)
        table = await probe_rows(target, share=share, seed=seed, tell=tell)
    return [*table, *await asyncio.to_thread(inner_rows, share=share, seed=seed)]


async def stock_rows(
    program: Path,
    directory: Path,
    connections: int,
    *,
    seed: int = 1,
    tell: Callable[[int], None] = lambda done: None,
) -> list[Row]:
    """Send about so many probes to a server of the deployed kind.

    Raises OperatorError if it does not start.
    """
    async with running_stock_server(program, directory) as server:
        target = ProbeTarget(server.port, server.keyword, limit=_STOCK_LIMIT, prefixes=default_prefixes())
        share = min(1.0, connections / FULL["P1"])
        return await probe_rows(target, subject="stock", share=share, seed=seed, tell=tell)


async def probe_rows(
    target: ProbeTarget,
    *,
    classes: Iterable[str] = tuple(FULL),
    subject: str = "ours",
    share: float = 1.0,
    seed: int = 1,
    tell: Callable[[int], None] = lambda done: None,
) -> list[Row]:
    """Send a server a `share` of the full set of each class; return what is to be told of it.

    Raises OperatorError if the server does not answer clients of its own.
    """
    rng = SeededRng(seed)
    counts = {kind: max(_LEAST, round(share * FULL[kind])) for kind in classes}
    control = await _control(SeededRng(seed))
    results = await run_probes(target, counts, counts, rng, tell)
    table = rows(results, subject=subject, control=control, seed=seed)
    if "P6" in counts:
        pairs = counts["P6"] // 2
        answered = await concurrent_replays(target, pairs, rng)
        once = sum(answers > 0 for answers in answered)
        shown = f"{once} of {pairs} answered once at least"
        hits = sum(answers > 1 for answers in answered)
        table.append(_replays("P6 at the same moment", subject, pairs, hits, shown, seed, once == pairs))
    return table


def inner_rows(*, share: float = 1.0, seed: int = 1) -> list[Row]:
    """Return what is to be told of our own code: replays on a moved clock, forgeries, work."""
    rng = SeededRng(seed)
    return [*_replay_rows(share, rng, seed), _forgery_row(share, rng, seed), *_work_rows(share, rng, seed)]


async def _control(rng: Rng) -> list[ProbeResult]:
    """Return what probes find out about a server that gives itself away."""
    async with naive_server(_CONTROL_LIMIT, rng) as port:
        target = ProbeTarget(port, b"", limit=_CONTROL_LIMIT)
        material = Material(Client(b""), Client(b""), (), _CONTROL_LIMIT / 12)
        kinds = ("P1", "P2", "P4")
        probes = [probe for kind in kinds for probe in probes_of(kind, material, rng, _CONTROL_COUNT)]
        return await send_probes(target, rng.shuffled(probes))


def _replay_rows(share: float, rng: Rng, seed: int) -> list[Row]:
    count = max(_LEAST, round(share * _REPLAYS))
    with tempfile.TemporaryDirectory() as directory:
        cells = replay_cells(Path(directory) / "seeds", count, rng)
    table = []
    for cell in cells:
        control = f"{cell.fresh} of {count} accepted when they were fresh"
        row = _replays(f"P6 {cell.name}", "ours", count, cell.accepted, control, seed, cell.fresh == count)
        table.append(row)
    return table


def _replays(
    detector: str, subject: str, count: int, accepted: int, control: str, seed: int, control_ok: bool
) -> Row:
    never = FORGOTTEN in detector  # no server of this format can tell
    return Row(
        detector=detector,
        subject=subject,
        sample=count,
        hits=accepted,
        bar="" if never else "0 accepted",
        met=None if never else not accepted,
        control=control,
        control_ok=control_ok,
        version=VERSION,
        seed=seed,
        note="the format has no time in it" if never else "",
    )


def _forgery_row(share: float, rng: Rng, seed: int) -> Row:
    count = max(_LEAST, round(share * _FORGERIES))
    accepted, known = forgeries(count, rng), genuine(_LEAST, rng)
    return Row(
        detector="P1 in process",
        subject="ours",
        sample=count,
        hits=accepted,
        bar="0 accepted",
        met=not accepted,
        control=f"clients: {known} of {_LEAST}",
        control_ok=known == _LEAST,
        version=VERSION,
        seed=seed,
        note="the magic is 32 bits wide",
    )


def _work_rows(share: float, rng: Rng, seed: int) -> list[Row]:
    count = max(100, round(share * _WORKED))
    spent = work(count, rng)
    ratio, spread = spent.ratio, spent.spread
    found = {
        "work of refusing": (ratio, _DEARER, f"{ratio:.2f} x an accept", f"at most {_DEARER:g} x an accept"),
        "time to the next read": (
            spread,
            _LATER,
            f"{spread * 1e3:.2f} ms between classes",
            f"below {_LATER * 1e3:g} ms at p99",
        ),
    }
    return [
        Row(
            detector=detector,
            subject="ours",
            sample=count * len(spent.probes),
            hits=int(value > most),
            bar=bar,
            met=value <= most,
            control=f"{spent.accepted} of {count} accepted, in {spent.accept * 1e3:.2f} ms each",
            control_ok=spent.accepted == count and not spent.mistaken,
            version=VERSION,
            seed=seed,
            note=note,
            of_sample=False,
        )
        for detector, (value, most, note, bar) in found.items()
    ]
