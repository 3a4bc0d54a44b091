"""The whole measurement: controls, each subject's connections in batches, probes, visitors; one table.

Captures are kept only as long as their batch is judged, so that ten thousand connections fit on any disk.
"""

import contextlib
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from headrace.base.errors import OperatorError
from headrace.base.rng import SeededRng
from headrace.obfuscation.default_prefix import DEFAULT_SPEC
from headrace.resist.capture import capture
from headrace.resist.controls import capture_controls
from headrace.resist.corpus import Reference, gather_reference
from headrace.resist.cutting import cutting
from headrace.resist.first_flight import FirstFlights, Ordinary
from headrace.resist.flows import Sample, read_flows
from headrace.resist.front import front_row
from headrace.resist.inner_handshakes import load_pages, page_rows
from headrace.resist.judging import DETECTORS, Judge
from headrace.resist.probes import our_rows, stock_rows
from headrace.resist.random_parts import RandomParts
from headrace.resist.report import Row
from headrace.resist.stock import StockClients, running_stock_server
from headrace.resist.subjects import BARE, Ours, OurServer, Subject, running_server

__all__ = ["ASKED", "MEASURES", "QUICK", "Peers", "Wanted", "measure"]

#: Connections that are captured and judged together.
BATCH: Final = 250
#: What can be asked for: detectors by their first word, all probes, and strangers who speak HTTP.
MEASURES: Final = (
    *dict.fromkeys(detector.split()[0] for detector in DETECTORS),
    "F3",
    "F4",
    "F5",
    "P",
    "front",
)
#: What needs ordinary traffic to compare with, and the least of it: exchanges, direct handshakes.
_COMPARED: Final = frozenset(("F4", "F5"))
_EXCHANGES: Final = 2000
_HANDSHAKES: Final = 1000
#: What has connections of its own made, and needs none of the modes'.
_OF_THEIR_OWN: Final = frozenset(("F5", "P", "front"))
#: What needs no captures.
ASKED: Final = frozenset(("P", "front"))
#: What is measured on every change.
QUICK: Final = frozenset(MEASURES) - _COMPARED
#: F5 is measured in the default mode, with at most so many pages of each kind.
_PAGES: Final = 1000
#: Strangers who speak HTTP are so many at most.
_VISITS: Final = 1000
#: Connections whose prefix comes in pieces are so many at most.
_CUT: Final = 1000

#: What must find nothing: always, with any prefix, and where a connection is to pass for HTTP.
_ALWAYS: Final = frozenset(("F2e", "F2g", "F7", "F8"))
_CLASSIFIERS: Final = frozenset(("F2a", "F2b", "F2c", "F2d", "F2f"))
_BARS: Final = {
    BARE: _ALWAYS | _CLASSIFIERS,
    DEFAULT_SPEC: _ALWAYS | _CLASSIFIERS | {"F1"},
    "http-chunked": _ALWAYS | _CLASSIFIERS | {"F1"},
}
_OTHER_BARS: Final = _ALWAYS | {"F1"}
#: With a deployed server: what our client can see to. One deployed client in fifty offers nothing that hides
#: lengths, so that our server cannot.
_OUR_CLIENT: Final = frozenset(("F7",))

#: Whose connections are watched, how many of them, and what must find nothing there.
_Watched = tuple[Subject, int, frozenset[str]]

#: What is being done, how much of it is done, and how much there is.
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Peers:
    """The deployed programs, to be judged alike: so many connections of each kind."""

    server: Path
    client: Path
    connections: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure. Captures are kept in `keep`, if that is given.

    `pieces` are numbers of segments that the prefix of the default mode comes in, for the contrast.
    """

    connections: int
    modes: tuple[str, ...]
    measures: frozenset[str] = QUICK
    pieces: tuple[int, ...] = ()
    seed: int = 1
    keep: Path | None = None
    peers: Peers | None = None


async def measure(wanted: Wanted, tell: Tell) -> AsyncGenerator[list[Row], None]:
    """Yield the table's rows as they come.

    Raises OperatorError if nothing can be captured or no server starts.
    """
    with contextlib.ExitStack() as stack:
        # Keys and the like are new each time, and are not kept.
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-resist-")))
        kept = work if wanted.keep is None else wanted.keep.absolute()
        kept.mkdir(parents=True, exist_ok=True)
        if wanted.measures - ASKED:
            async with contextlib.aclosing(_Captures(wanted, work, kept, tell).rows()) as found:
                async for rows in found:
                    yield rows
        if "P" in wanted.measures:
            count = wanted.connections
            yield await our_rows(
                work / "probed", count, seed=wanted.seed, tell=lambda done: tell("probes", done, 0)
            )
            if (peers := wanted.peers) is not None:
                yield await stock_rows(
                    peers.server,
                    work / "probed stock",
                    peers.connections,
                    seed=wanted.seed,
                    tell=lambda done: tell("probes of the stock server", done, 0),
                )
        if "front" in wanted.measures:
            count = min(_VISITS, wanted.connections)
            yield [
                await front_row(
                    work / "front", count, seed=wanted.seed, tell=lambda done: tell("visits", done, count)
                )
            ]


class _Captures:
    """Everything that is judged on captures."""

    def __init__(self, wanted: Wanted, work: Path, kept: Path, tell: Tell) -> None:
        """Programs have their files in `work`, captures are in `kept`."""
        self._wanted = wanted
        self._work = work
        self._kept = kept
        self._tell = tell
        self._rng = SeededRng(wanted.seed)
        self._judge: Judge
        self._reference: Reference | None = None
        self._ordinary: Ordinary | None = None

    async def rows(self) -> AsyncGenerator[list[Row], None]:
        """Capture all subjects, one after the other; yield what is to be told of each."""
        wanted = self._wanted
        self._tell("controls", 0, 1)
        controls = await capture_controls(self._kept, self._rng)
        self._judge = Judge(wanted.measures, controls, wanted.seed)
        self._tell("controls", 1, 1)
        if wanted.measures & _COMPARED:
            self._reference = await gather_reference(
                self._kept,
                exchanges=max(_EXCHANGES, wanted.connections),
                handshakes=_HANDSHAKES,
                rng=self._rng,
                tell=self._tell,
            )
            if "F4" in wanted.measures:
                self._ordinary = Ordinary(self._reference.ordinary, self._reference.direct, wanted.seed)
        async with running_server(self._work / "server") as server:
            async with contextlib.aclosing(self._subjects(server)) as subjects:
                async for subject, connections, bars in subjects:
                    yield await self._watch(subject, connections, bars)
            if "F5" in wanted.measures and self._reference is not None:
                async for rows in self._pages(server, self._reference):
                    yield rows

    async def _subjects(self, server: OurServer) -> AsyncGenerator[_Watched, None]:
        """Yield what is watched, one after the other."""
        wanted = self._wanted
        if wanted.measures <= _OF_THEIR_OWN:
            return
        for mode in wanted.modes:
            yield Ours(server, mode, self._rng), wanted.connections, _BARS.get(mode, _OTHER_BARS)
        for pieces in wanted.pieces:
            async with cutting(server.port, pieces) as port:
                name = f"{DEFAULT_SPEC}, {pieces} segments"
                divided = Ours(server, DEFAULT_SPEC, self._rng, name=name, dialled=port)
                yield divided, min(_CUT, wanted.connections), _ALWAYS
        if (peers := wanted.peers) is None:
            return
        # The deployed pair, as it is and with our prefix, and each of the two with one of ours.
        rng, clients, many = self._rng, self._work / "clients", peers.connections
        async with running_stock_server(peers.server, self._work / "stock") as theirs:
            for name, other, http in (
                ("stock pair", theirs, False),
                ("stock pair, prefix", theirs, True),
                ("stock client, our server", server, False),
            ):
                yield StockClients(name, peers.client, other, clients, rng, http=http), many, frozenset()
            yield Ours(theirs, BARE, rng, name="our client, stock server"), many, _OUR_CLIENT

    async def _pages(self, server: OurServer, reference: Reference) -> AsyncIterator[list[Row]]:
        """Have pages loaded through tunnels that are shaped, and for the contrast through others."""
        count = min(_PAGES, self._wanted.connections)
        for name, shaped in ((f"{DEFAULT_SPEC}, not shaped", False), (DEFAULT_SPEC, True)):
            pages = await load_pages(
                server, DEFAULT_SPEC, count, self._kept, self._rng, self._tell, shaped=shaped
            )
            yield page_rows(name, pages, reference, self._wanted.seed)

    async def _watch(self, subject: Subject, connections: int, bars: frozenset[str]) -> list[Row]:
        """Capture connections of a subject, in batches, and judge them.

        Raises OperatorError if none is in the capture; if some are not, the rows say how many.
        """
        done = whole = 0

        def one_more() -> None:
            nonlocal done
            done += 1
            self._tell(subject.name, done, connections)

        self._tell(subject.name, 0, connections)
        gathered: list[RandomParts | FirstFlights] = []
        if "F3" in self._wanted.measures:
            gathered.append(RandomParts(seed=self._wanted.seed))
        if self._ordinary is not None:
            gathered.append(FirstFlights(self._ordinary))
        for first in range(0, connections, BATCH):
            pcap = self._kept / f"{subject.name.replace(', ', '-')}-{first}.pcap"
            async with capture(pcap, [subject.port]):
                await subject.connect(min(BATCH, connections - first), one_more)
            sample = Sample(pcap, read_flows(pcap, [subject.port]), subject.http, subject.framed)
            whole += sum(subject.is_whole(flow) for flow in sample.flows)
            self._judge.look(subject.name, sample)
            for each in gathered:
                each.take(sample)
            if self._wanted.keep is None:
                pcap.unlink()
        if not whole:
            raise OperatorError(f"none of {connections} connections of {subject.name} is in the capture")
        rows = self._judge.rows(subject.name, bars)
        for each in gathered:
            rows += each.rows(subject.name)
        return [replace(row, missing=max(0, connections - whole)) for row in rows]
