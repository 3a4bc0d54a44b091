"""`headrace entries merge`: which of two entries stays."""

import json
from pathlib import Path

import pytest
from tests.unit.cli.running import entry, run, signed


def listed(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        (entry(1), signed(1), "replaced"),
        (entry(1, configurationVersion=2), signed(1, configurationVersion=1), "kept"),
        (entry(1, configurationVersion=1), signed(1, configurationVersion=2), "replaced"),
        (entry(1), entry(1), "kept"),
        (
            entry(1, configurationVersion=None),
            entry(1, configurationVersion="9"),
            "replaced",
        ),  # both count as 0
    ],
    ids=["a tie", "older", "newer", "the same", "no version"],
)
def test_which_one_stays(first: str, second: str, outcome: str, tmp_path: Path) -> None:
    files = [listed(tmp_path / "first", first), listed(tmp_path / "second", second)]
    result = run("entries", "merge", *files)
    assert result.code == 0
    assert result.lines == [second if outcome == "replaced" else first]
    assert f"second: 1 {outcome}" in result.err


def test_a_newer_entry_replaces_all_of_the_older_one(tmp_path: Path) -> None:
    old = listed(tmp_path / "old", entry(1, unknown=5, capabilities=["OSSH", "SSH"]))
    new = listed(tmp_path / "new", entry(1, configurationVersion=2, capabilities=["SSH"]))
    assert run("entries", "merge", old, new).lines == new.read_text().split()


def test_order_and_figures(tmp_path: Path) -> None:
    a = listed(tmp_path / "a", entry(1), entry(2), entry(3))
    b = listed(tmp_path / "b", entry(4), entry(2, configurationVersion=5), entry(1, configurationVersion=0))
    outcome = run("entries", "merge", a, b, "--output", tmp_path / "out", "--json")
    assert (tmp_path / "out").read_text().split() == [
        entry(1),
        entry(2, configurationVersion=5),
        entry(3),
        entry(4),
    ]
    assert json.loads(outcome.out) == {
        "entries": 4,
        "files": [
            {"file": str(a), "added": 3, "replaced": 0, "kept": 0, "dropped": 0},
            {"file": str(b), "added": 1, "replaced": 1, "kept": 1, "dropped": 0},
        ],
    }


def test_what_is_dropped_is_told_and_the_rest_is_written(tmp_path: Path) -> None:
    a = listed(
        tmp_path / "a", entry(1), "zz", entry(2, ipAddress="home"), entry(1, configurationVersion=2**31 - 1)
    )
    outcome = run("entries", "merge", a, "--output", tmp_path / "out")
    assert outcome.code == 1
    assert (tmp_path / "out").read_text().split() == [entry(1)]
    assert outcome.err.splitlines() == [
        f"headrace: {a}:2: server entry line is not hexadecimal at character 1",
        f"headrace: {a}:3: server entry ipAddress is not an IP address",
        f"headrace: {a}:4: server entry configurationVersion is above 2147483646",
    ]
    assert outcome.out == f"{a}: 1 added, 3 dropped\n1 entry in all\n"


def test_into_one_of_the_files(tmp_path: Path) -> None:
    a = listed(tmp_path / "a", entry(1))
    b = listed(tmp_path / "b", entry(2))
    a.chmod(0o600)
    assert run("entries", "merge", a, b, "--output", a).code == 0
    assert a.read_text().split() == [entry(1), entry(2)]


def test_a_list_that_is_missing(tmp_path: Path) -> None:
    a = listed(tmp_path / "a", entry(1))
    outcome = run("entries", "merge", a, tmp_path / "b", "--output", a)
    assert outcome.code == 2
    assert "does not exist" in outcome.complaint
    assert a.read_text().split() == [entry(1)]


def test_standard_input(tmp_path: Path) -> None:
    a = listed(tmp_path / "a", entry(1))
    assert run("entries", "merge", a, "-", input=entry(2)).lines == [entry(1), entry(2)]
