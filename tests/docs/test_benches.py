"""What the benches' page says there is."""

import re
from pathlib import Path

from bench.bars import BARS
from bench.catalogue import BENCHES, GROUPS
from bench.crowds import quantile
from bench.fairness import jain
from bench.figures import Findings, judge

PAGE = (Path(__file__).parents[2] / "bench" / "README.md").read_text()


def test_the_page_names_every_bench_and_group() -> None:
    options = next(line for line in PAGE.splitlines() if line.startswith("| `--only"))
    assert set(re.findall(r"`(\w+)`", options)) == {*BENCHES, *GROUPS}


def test_every_bench_is_described() -> None:
    assert set(re.findall(r"^- \*\*(\w+)\*\*", PAGE, re.MULTILINE)) == set(BENCHES)


def test_groups_are_of_benches_there_are() -> None:
    assert {name for names in GROUPS.values() for name in names} <= set(BENCHES)


def test_a_bar_is_held_against_the_median_of_its_figure() -> None:
    bar = next(bar for bar in BARS if bar.measure == "300 busy tunnels: Jain index")
    for value, met in ((0.96, True), (0.94, False)):
        found = Findings()
        for each in (0.5, value, 1.0):
            found.add(bar.measure, bar.subject, "", each)
        assert [verdict.met for verdict in judge([bar], found.figures())] == [met]


def test_jains_index_is_the_part_that_shares_everything() -> None:
    assert jain([3, 3, 3, 3]) == 1
    assert jain([5, 5, 0, 0]) == 0.5
    assert jain([0, 0]) == 0


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([3, 1, 2], 0.99) == 3
    assert quantile([], 0.5) == float("inf")
