"""Rows of the table: hits, bars, and controls without which nothing counts."""

from pathlib import Path

import pytest

from headrace.base.errors import OperatorError
from headrace.base.rng import SeededRng
from headrace.resist import judging
from headrace.resist.flows import Flow, Sample, Segment
from headrace.resist.judging import Judge, _fine
from headrace.resist.pattern_rules import PATTERN_RULES
from headrace.resist.report import Row, upper_bound
from headrace.resist.walk import Walk

RNG = SeededRng(2)
POST = b"POST /up HTTP/1.1\r\nHost: a\r\n\r\n"
WALKABLE = b"".join((16).to_bytes(4, "big") + RNG.bytes(32) for _ in range(9))


def sample(first: bytes, count: int = 5, http: bool = False, client: int = 1) -> Sample:
    flows = [Flow(("", client), ("", 20_000), 0.0, [Segment(0.0, True, first)]) for _ in range(count)]
    return Sample(Path("nowhere.pcap"), flows, http)


CONTROLS = {"ssh": sample(b"SSH-2.0-x\r\n" + WALKABLE), "http": sample(POST), "random": sample(RNG.bytes(99))}


@pytest.fixture(autouse=True)
def detectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "CLASSIFIERS", PATTERN_RULES[:2])
    monkeypatch.setattr(judging, "FLAGGERS", (Walk(),))


def rows(judge: Judge, *barred: str) -> dict[str, Row]:
    return {row.detector: row for row in judge.rows("ours", frozenset(barred))}


WANTED = frozenset(("F2d", "F2e", "F7"))


def test_batches_add_up_and_bars_are_only_where_they_are_named() -> None:
    judge = Judge(WANTED, CONTROLS, 7)
    judge.look("ours", sample(POST, 3, http=True))
    judge.look("ours", sample(WALKABLE, 2, http=True))
    found = rows(judge, "F2d", "F2e")
    assert {name: (row.sample, row.hits, row.bar, row.met) for name, row in found.items()} == {
        "F7": (5, 2, "", None),
        "F2d": (5, 2, "none", False),
        "F2e": (5, 0, "none", True),
    }
    assert found["F2d"].note == "HTTP 3, Unknown 2"
    assert all(row.ran and row.seed == 7 for row in found.values())


def test_classifiers_are_not_asked_of_clients_whose_port_they_go_by() -> None:
    judge = Judge(WANTED, CONTROLS, 1)
    judge.look("ours", sample(POST, 3, http=True))
    judge.look("ours", sample(WALKABLE, 1, http=True, client=51_413))
    assert {name: (row.sample, row.hits) for name, row in rows(judge).items()} == {
        "F7": (4, 1),
        "F2d": (3, 0),
        "F2e": (3, 0),
    }
    assert rows(judge)["F2d"].note == "HTTP 3, 1 not asked, for their port"


@pytest.mark.parametrize(
    ("detector", "http", "framed", "fine"),
    [
        ("F2a", False, False, {"Unknown"}),
        ("F2a", True, False, {"HTTP"}),
        ("F2c", False, False, {"Unknown"}),
        ("F2c", True, False, {"Unknown", "HTTP", "half HTTP"}),
        ("F2c", True, True, {"HTTP"}),
        ("F2e", True, True, {"Unknown"}),
    ],
)
def test_what_a_classifier_may_say(detector: str, http: bool, framed: bool, fine: set[str]) -> None:
    assert _fine(detector, Sample(Path(), [], http, framed)) == fine


@pytest.mark.parametrize(("control", "blind"), [("ssh", {"F7", "F2e"}), ("http", {"F2d"}), ("random", set())])
def test_a_detector_that_misses_its_control_has_not_run(control: str, blind: set[str]) -> None:
    judge = Judge(WANTED, {**CONTROLS, control: sample(RNG.bytes(50))}, 1)
    judge.look("ours", sample(POST, http=True))
    assert {name for name, row in rows(judge, *WANTED).items() if not row.ran} == blind
    assert {name for name, row in rows(judge, *WANTED).items() if row.met is None} == blind


def test_a_control_without_connections_proves_nothing() -> None:
    judge = Judge(WANTED, dict.fromkeys(CONTROLS, sample(b"", 0)), 1)
    assert not any(row.control_ok for row in rows(judge).values())


def test_a_program_that_is_not_there_has_not_run_and_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Absent:
        id, control = "F2a", ""

        def version(self) -> str:
            raise AssertionError

        def classes(self, sample: Sample) -> list[str]:
            raise OperatorError("ndpiReader is not installed")

    monkeypatch.setattr(judging, "CLASSIFIERS", (Absent(), *PATTERN_RULES[:1]))
    judge = Judge(frozenset(("F2a", "F2d")), CONTROLS, 1)
    judge.look("ours", sample(POST, http=True))
    found = rows(judge, "F2a", "F2d")
    assert (found["F2a"].ran, found["F2a"].note) == (False, "ndpiReader is not installed")
    assert found["F2d"].met


@pytest.mark.parametrize(
    ("hits", "of", "bound"), [(0, 10_000, 0.0003), (0, 300, 0.00994), (5, 100, 0.1023), (7, 7, 1.0)]
)
def test_upper_bounds(hits: int, of: int, bound: float) -> None:
    assert upper_bound(hits, of) == pytest.approx(bound, rel=0.01)
