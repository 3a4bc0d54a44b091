"""Our own connections, captured and judged: all bars and controls, at the size run on every change."""

import os
import shutil

import pytest
from tests.interop.programs import missing

from headrace.resist.report import Row
from headrace.resist.subjects import MODES
from headrace.resist.suite import ASKED, QUICK, Wanted, measure

CONNECTIONS = 300
#: Probes and visitors are elsewhere.
CAPTURED = QUICK - ASKED
#: nDPI 4.2 takes one in a hundred streams of random bytes for some protocol or other, whoever makes them.
BY_CHANCE = {("F2a", "bare")}


@pytest.fixture(autouse=True)
def programs() -> None:
    for name in ("tcpdump", "tshark", "ndpiReader"):
        if shutil.which(name) is None:
            missing(name)
    if os.geteuid() != 0:
        missing("root, to capture")


async def measured(wanted: Wanted) -> list[Row]:
    return [row async for rows in measure(wanted, lambda what, done, total: None) for row in rows]


@pytest.mark.root
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", MODES)
async def test_an_observer_finds_nothing(mode: str) -> None:
    rows = await measured(Wanted(CONNECTIONS, (mode,), CAPTURED))
    assert {row.detector.split()[0] for row in rows} == CAPTURED
    assert [row for row in rows if not row.ran] == []
    # Classifiers leave out who happens to have a port that they go by: one client in three thousand.
    assert min(row.sample for row in rows) >= CONNECTIONS - 3
    assert max(row.sample for row in rows) == CONNECTIONS
    assert [row for row in rows if row.met is False and (row.detector, mode) not in BY_CHANCE] == []


@pytest.mark.root
@pytest.mark.timeout(300)
async def test_without_a_prefix_the_first_packet_gives_us_away() -> None:
    """No claim is made of it, and none is hidden."""
    rows = await measured(Wanted(100, ("bare",), frozenset(("F1",))))
    assert all(row.hits > 90 and row.met is None for row in rows)
