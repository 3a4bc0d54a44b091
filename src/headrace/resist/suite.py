"""The whole measurement: controls, then each subject's connections in batches, then the probes; one table.

Captures are kept only as long as their batch is judged, so that ten thousand connections fit on any disk.
"""

import contextlib
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace.base.rng import SeededRng
from headrace.obfuscation.default_prefix import DEFAULT_SPEC
from headrace.resist.capture import capture
from headrace.resist.controls import capture_controls
from headrace.resist.corpus import Reference, gather_reference
from headrace.resist.cutting import cutting
from headrace.resist.first_flight import FirstFlights, Ordinary
from headrace.resist.flows import Sample, read_flows
from headrace.resist.inner_handshakes import load_pages, page_rows
from headrace.resist.judging import DETECTORS, Judge
from headrace.resist.probes import our_rows, stock_rows
from headrace.resist.random_parts import RandomParts
from headrace.resist.report import Row
from headrace.resist.stock import StockClients, running_stock_server
from headrace.resist.subjects import BARE, Ours, OurServer, Subject, running_server

__all__ = ["MEASURES", "QUICK", "Peers", "Wanted", "measure"]

#: Connections that are captured and judged together.
BATCH: Final = 250
#: What can be asked for: detectors by their first word, and all probes.
MEASURES: Final = (*dict.fromkeys(detector.split()[0] for detector in DETECTORS), "F3", "F4", "F5", "P")
#: What needs ordinary traffic to compare with, and the least of it: exchanges, direct handshakes.
_COMPARED: Final = frozenset(("F4", "F5"))
_EXCHANGES: Final = 2000
_HANDSHAKES: Final = 1000
#: What is measured on every change.
QUICK: Final = frozenset(MEASURES) - _COMPARED
#: F5 is measured in the default mode, with at most so many pages of each kind.
_PAGES: Final = 1000
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
        directory = wanted.keep
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-resist-")))
        directory.mkdir(parents=True, exist_ok=True)
        if wanted.measures - {"P"}:
            async for rows in _Captures(wanted, directory, tell).rows():
                yield rows
        if "P" in wanted.measures:
            count = wanted.connections
            yield await our_rows(
                directory / "probed", count, seed=wanted.seed, tell=lambda done: tell("probes", done, 0)
            )
            if (peers := wanted.peers) is not None:
                yield await stock_rows(
                    peers.server,
                    directory / "probed stock",
                    peers.connections,
                    seed=wanted.seed,
                    tell=lambda done: tell("probes of the stock server", done, 0),
                )


class _Captures:
    """Everything that is judged on captures."""

    def __init__(self, wanted: Wanted, directory: Path, tell: Tell) -> None:
        self._wanted = wanted
        self._directory = directory
        self._tell = tell
        self._rng = SeededRng(wanted.seed)
        self._judge: Judge
        self._reference: Reference | None = None
        self._ordinary: Ordinary | None = None

    async def rows(self) -> AsyncIterator[list[Row]]:
        """Capture all subjects, one after the other; yield what is to be told of each."""
        wanted = self._wanted
        self._tell("controls", 0, 1)
        controls = await capture_controls(self._directory, self._rng)
        self._judge = Judge(wanted.measures, controls, wanted.seed)
        self._tell("controls", 1, 1)
        if wanted.measures & _COMPARED:
            self._reference = await gather_reference(
                self._directory,
                exchanges=max(_EXCHANGES, wanted.connections),
                handshakes=_HANDSHAKES,
                rng=self._rng,
                tell=self._tell,
            )
            if "F4" in wanted.measures:
                self._ordinary = Ordinary(self._reference.ordinary, self._reference.direct, wanted.seed)
        async with running_server(self._directory / "server") as server:
            for mode in wanted.modes:
                bars = _BARS.get(mode, _OTHER_BARS)
                yield await self._watch(Ours(server, mode, self._rng), wanted.connections, bars)
            for pieces in wanted.pieces:
                async with cutting(server.port, pieces) as port:
                    name = f"{DEFAULT_SPEC}, {pieces} segments"
                    divided = Ours(server, DEFAULT_SPEC, self._rng, name=name, dialled=port)
                    yield await self._watch(divided, min(_CUT, wanted.connections), _ALWAYS)
            if "F5" in wanted.measures and self._reference is not None:
                async for rows in self._pages(server, self._reference):
                    yield rows
            if (peers := wanted.peers) is not None:
                async for subject, bars in self._others(server, peers):
                    yield await self._watch(subject, peers.connections, bars)

    async def _pages(self, server: OurServer, reference: Reference) -> AsyncIterator[list[Row]]:
        """Have pages loaded through tunnels that are shaped, and for the contrast through others."""
        count = min(_PAGES, self._wanted.connections)
        for name, shaped in ((f"{DEFAULT_SPEC}, not shaped", False), (DEFAULT_SPEC, True)):
            pages = await load_pages(
                server, DEFAULT_SPEC, count, self._directory, self._rng, self._tell, shaped=shaped
            )
            yield page_rows(name, pages, reference, self._wanted.seed)

    async def _others(self, ours: OurServer, peers: Peers) -> AsyncIterator[tuple[Subject, frozenset[str]]]:
        """Yield the deployed pair, as it is and with our prefix, and each of the two with one of ours."""
        directory, rng = self._directory, self._rng
        clients = directory / "clients"
        async with running_stock_server(peers.server, directory / "stock") as theirs:
            yield StockClients("stock pair", peers.client, theirs, clients, rng), frozenset()
            yield (
                StockClients("stock pair, prefix", peers.client, theirs, clients, rng, http=True),
                frozenset(),
            )
            yield StockClients("stock client, our server", peers.client, ours, clients, rng), frozenset()
            yield Ours(theirs, BARE, rng, name="our client, stock server"), _OUR_CLIENT

    async def _watch(self, subject: Subject, connections: int, bars: frozenset[str]) -> list[Row]:
        done = 0

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
            name = subject.name.replace(", ", "-")  # to nfstream, a comma divides names
            pcap = self._directory / f"{name}-{first}.pcap"
            async with capture(pcap, [subject.port]):
                await subject.connect(min(BATCH, connections - first), one_more)
            sample = Sample(pcap, read_flows(pcap, [subject.port]), subject.http, subject.framed)
            self._judge.look(subject.name, sample)
            for each in gathered:
                each.take(sample)
            if self._wanted.keep is None:
                pcap.unlink()
        rows = self._judge.rows(subject.name, bars)
        for each in gathered:
            rows += each.rows(subject.name)
        return rows
