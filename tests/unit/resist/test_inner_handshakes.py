"""F5's rows: what is caught, beside what, and whether the observers are awake."""

import random

import pytest

from headrace.resist.corpus import Reference, Sizes
from headrace.resist.encapsulated import PUBLISHED, SSH_ADDS
from headrace.resist.inner_handshakes import PageFlows, handshake_rows, page_rows
from headrace.resist.report import Row
from headrace.resist.shapes import on_ethernet

CHANCE = random.Random(1)


def handshake(kind: str, more: int = 0) -> Sizes:
    sizes = []
    for i, size in enumerate(PUBLISHED[kind].mean):
        sizes.append((round(CHANCE.gauss(size, size / 20)) + more) * (1, -1)[i % 2])
    return on_ethernet(sizes)


def download() -> Sizes:
    """One request after the other, each with a long answer."""
    sizes = []
    for _ in range(CHANCE.randint(1, 5)):
        sizes += [CHANCE.randint(300, 500), -CHANCE.randint(9000, 90000)]
    return on_ethernet(sizes)


def flows(count: int, more: int = 0) -> list[Sizes]:
    return [handshake(kind, more) for kind in PUBLISHED for _ in range(count)]


REFERENCE = Reference(
    {"one": [download() for _ in range(300)], "other": [download() for _ in range(300)]},
    {kind: [handshake(kind) for _ in range(40)] for kind in PUBLISHED},
)


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.detector: row for row in rows}


def test_handshakes_in_a_plain_tunnel_are_noticed_by_all() -> None:
    inside = [[40, -40, *sizes] for sizes in flows(30, SSH_ADDS)]
    rows = by_name(handshake_rows("plain", inside, [download() for _ in range(50)], REFERENCE, 1))
    assert list(rows) == ["F5 published", "F5 anywhere", "F5 learned"]
    assert all(row.control_ok and row.sample == 90 for row in rows.values())
    assert [row.met for row in rows.values()] == [False, False, False]
    assert rows["F5 learned"].hits > 80


def test_tunnels_that_look_like_downloads_are_noticed_by_none() -> None:
    rows = handshake_rows(
        "shaped", [download() for _ in range(90)], [download() for _ in range(50)], REFERENCE, 1
    )
    assert [(row.detector, row.met, row.control_ok) for row in rows] == [
        ("F5 published", True, True),
        ("F5 anywhere", True, True),
        ("F5 learned", True, True),
    ]


@pytest.mark.parametrize("kind", PUBLISHED)
def test_observers_who_miss_direct_handshakes_prove_nothing(kind: str) -> None:
    asleep = Reference(REFERENCE.ordinary, {kind: [download()[:4] for _ in range(60)]})
    rows = by_name(handshake_rows("any", flows(20), [download() for _ in range(20)], asleep, 1))
    assert not rows["F5 learned"].ran


def test_pages_of_several_streams_have_rows_of_their_own() -> None:
    pages = PageFlows(21, flows(20), flows(20), [download() for _ in range(20)])
    assert {row.subject for row in page_rows("bare", pages, REFERENCE, 1)} == {"bare", "bare, 3 streams"}
