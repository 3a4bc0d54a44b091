"""`headrace resist`: what can be asked for, and what the answer looks like."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from headrace.base.errors import OperatorError
from headrace.cli.root import headrace
from headrace.resist import suite
from headrace.resist.report import COLUMNS, Row, cells, documents, markdown
from headrace.resist.suite import MEASURES, Tell, Wanted


def row(hits: int = 0, *, met: bool | None = True, control_ok: bool = True, bar: str = "none") -> Row:
    return Row("F7", "bare", 10_000, hits, bar, met, "ssh: 20 of 20 | flagged", control_ok, "rule", 1, "")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    """What is measured, without measuring it; what was wanted is in `asked`."""
    rows: list[Row] = []

    async def measure(wanted: Wanted, tell: Tell) -> AsyncGenerator[list[Row], None]:
        asked.append(wanted)
        for found in rows:
            tell(found.subject, 1, 1)
            yield [found]
            if found.subject == LAST:
                raise OperatorError("no more disk")

    asked.clear()
    monkeypatch.setattr(suite, "measure", measure)
    return rows


asked: list[Wanted] = []
LAST = "the last before it breaks off"


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (row(), 0),
        (row(met=None, bar=""), 0),
        (row(3, met=False), 1),
        (row(met=None, control_ok=False), 1),
        (row(met=True, control_ok=False), 1),
        (replace(row(), missing=1), 1),
        (replace(row(met=None, bar=""), missing=1), 0),
        (row(met=None, control_ok=False, bar=""), 0),
    ],
)
def test_the_exit_code_says_whether_all_bars_are_met(answers: list[Row], found: Row, code: int) -> None:
    answers.append(found)
    assert CliRunner().invoke(headrace, ["resist"]).exit_code == code


def test_no_row_at_all_is_no_success(answers: list[Row]) -> None:
    assert CliRunner().invoke(headrace, ["resist"]).exit_code == 1


def test_the_table_is_written_in_every_form(answers: list[Row], tmp_path: Path) -> None:
    answers += [row(), row(3, met=False)]
    words = ["--json", str(tmp_path / "rows.json"), "--markdown", str(tmp_path / "table.md")]
    shown = CliRunner().invoke(headrace, ["resist", *words])
    assert "0.03 %" in shown.output
    assert "NO" in shown.output
    assert [each["hits"] for each in json.loads((tmp_path / "rows.json").read_bytes())] == [0, 3]
    head, rule, *lines = (tmp_path / "table.md").read_text().splitlines()
    assert head == "| " + " | ".join(COLUMNS) + " |"
    assert {line.count("|") for line in (head, rule, *lines)} == {len(COLUMNS) + 1}
    assert markdown(answers).endswith("\n".join(lines) + "\n")


def test_what_is_broken_off_leaves_what_was_found(answers: list[Row], tmp_path: Path) -> None:
    answers += [row(), replace(row(), subject=LAST), row(3)]
    file = tmp_path / "rows.json"
    shown = CliRunner().invoke(headrace, ["resist", "--json", str(file)])
    assert shown.exit_code != 0
    assert "no more disk" in str(shown.exception)
    assert LAST in shown.output
    assert [each["subject"] for each in json.loads(file.read_bytes())] == ["bare", LAST]


def test_what_did_not_run_does_not_look_as_if_it_had() -> None:
    shown = dict(zip(COLUMNS, cells(row(met=True, control_ok=False)), strict=True))
    assert (shown["met"], shown["at most"]) == ("not run", "0.03 %")
    assert cells(Row("F2a", "bare", 0, 0, "none", None, "", False, "", 1))[4] == ""
    (document,) = documents([row(met=True, control_ok=False)])
    assert (document["ran"], document["met"]) == (False, None)


def test_a_sample_that_is_not_whole_meets_no_bar() -> None:
    short = replace(row(), sample=9_998, missing=2, note="HTTP 9,998")
    shown = dict(zip(COLUMNS, cells(short), strict=True))
    assert (shown["met"], shown["note"]) == ("NO", "2 missing; HTTP 9,998")
    assert documents([short])[0]["met"] is False


def test_hits_that_are_no_connections_have_no_bound() -> None:
    measures = replace(row(1, met=False), of_sample=False)
    assert cells(measures)[4] == ""
    assert [each["at_most"] for each in documents([measures, row(10_000)])] == [None, 1.0]


def test_what_is_wanted(answers: list[Row]) -> None:
    answers.append(row())
    for words in ([], ["--size", "release", "--only", "F1, F7", "--modes", "bare", "--seed", "5"]):
        assert CliRunner().invoke(headrace, ["resist", *words]).exit_code == 0
    assert (asked[0].connections, asked[0].measures, asked[0].pieces) == (300, frozenset(MEASURES), (2, 3, 7))
    assert (asked[1].connections, asked[1].modes, asked[1].seed) == (10_000, ("bare",), 5)
    assert (asked[1].measures, asked[1].pieces) == (frozenset(("F1", "F7")), ())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "many"], "neither ci, nor release, nor a number"),
        (["--size", "0"], "neither ci, nor release, nor a number"),
        (["--only", "F1,F99"], "there is no detector F99: there are F1"),
        (["--modes", "smtp"], "there is no mode smtp: there are bare"),
        (["--peer-server", "."], "name both --peer-server and --peer-client"),
    ],
)
def test_what_makes_no_sense_is_refused(answers: list[Row], words: list[str], said: str) -> None:
    refused = CliRunner().invoke(headrace, ["resist", *words])
    assert refused.exit_code != 0
    assert said in refused.output + str(refused.exception)
    assert asked == []
