"""A server that runs, probed over real sockets: P1 to P8 at the size that is run on every change.

The server waits two seconds instead of a minute, and a connection's share more, as everywhere.
"""

from collections.abc import AsyncIterator

import pytest

from headrace.base.errors import OperatorError
from headrace.base.rng import SeededRng
from headrace.resist.probes import Ending, ProbeTarget, inner_rows, probe_rows, run_probes
from headrace.resist.probes.kinds import FULL
from headrace.resist.probes.naive import naive_server
from headrace.resist.probes.wire import concurrent_replays
from headrace.resist.report import Row
from headrace.testing.loopback import LoopbackServer

LIMIT = 2.0
#: About 300 random probes, and as many of the others together.
SHARE = 0.15
TIMES = {"P times", "P1 lengths"}


@pytest.fixture
async def target() -> AsyncIterator[ProbeTarget]:
    limit = round(LIMIT * 1000)
    async with LoopbackServer(SSHHandshakeTimeoutMilliseconds=limit, IrregularTunnelsPerMinute=0) as server:
        shared = server.worker.shared
        yield ProbeTarget(server.worker.ports["OSSH"], shared.keyword, limit=LIMIT)


def wrong(table: list[Row]) -> list[Row]:
    return [row for row in table if not row.met]


async def test_a_stranger_learns_nothing_from_a_server_that_runs(target: ProbeTarget) -> None:
    table = await probe_rows(target, share=SHARE)
    assert {row.detector for row in table} == {*FULL, *TIMES, "P6 at the same moment"}
    assert [row for row in table if not row.ran] == []
    by_chance = {row.detector for row in wrong(table)}
    if by_chance and by_chance <= TIMES:  # one in a hundred is by chance: twice it is not
        table = await probe_rows(target, classes=FULL.keys() - {"P6"}, share=SHARE, seed=2)
    assert wrong(table) == []


async def test_a_server_that_does_not_answer_its_clients_is_not_probed() -> None:
    """This one says that it understood nothing, to what looks like HTTP."""
    async with naive_server(LIMIT, SeededRng(1)) as port:
        target = ProbeTarget(port, b"", limit=LIMIT)
        with pytest.raises(OperatorError, match=r"answers \d of 16 clients"):
            await run_probes(target, ["P1"], 1, SeededRng(1))


async def test_replays_at_the_same_moment_are_answered_once(target: ProbeTarget) -> None:
    """A server that answers neither, which proves nothing, is told from one that answers one of them."""
    assert await concurrent_replays(target, 5, SeededRng(1)) == [1] * 5
    async with naive_server(LIMIT, SeededRng(1)) as port:
        silent = ProbeTarget(port, target.keyword, limit=LIMIT)
        assert await concurrent_replays(silent, 3, SeededRng(1)) == [0] * 3


async def test_results_say_how_each_probe_ended(target: ProbeTarget) -> None:
    results = await run_probes(target, ["P8"], 12, SeededRng(3))
    assert {(result.kind, result.bytes_received) for result in results} == {("P8", 0)}
    endings = {result.probe.name: result.ending for result in results}
    assert endings.pop("reset") is Ending.NONE
    assert set(endings.values()) == {Ending.FIN}


def test_our_own_code() -> None:
    """Replays on a moved clock, forgeries. What is spent on them is for a quiet machine to measure."""
    table = [row for row in inner_rows(share=0.01) if row.detector.startswith("P")]
    assert len(table) == 10
    assert [row for row in table if not row.ran or row.met is False] == []
