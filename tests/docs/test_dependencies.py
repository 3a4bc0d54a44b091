"""docs/dependencies.md has a line for every dependency, and for nothing else."""

import re
import tomllib

import pytest
from tests.docs.documents import ROOT, sections

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = sections("docs/dependencies.md")


def names(requirements: list[str]) -> list[str]:
    """Return the packages' names, those of our own extras left out."""
    found = [re.match(r"[\w.-]+", requirement) for requirement in requirements]
    return sorted(match[0].lower() for match in found if match and match[0] != "headrace")


@pytest.mark.parametrize(
    ("heading", "requirements"),
    [
        ("At run time", PROJECT["dependencies"]),
        ("For development", PROJECT["optional-dependencies"]["dev"]),
    ],
)
def test_a_line_for_each_and_no_other(heading: str, requirements: list[str]) -> None:
    assert sorted(row[0].lower() for row in LINES[heading]) == names(requirements)


def test_every_other_extra_is_accounted_for() -> None:
    documented = {row[0].lower() for rows in LINES.values() for row in rows}
    extras = PROJECT["optional-dependencies"]
    assert [name for extra in extras.values() for name in names(extra) if name not in documented] == []


@pytest.mark.parametrize("heading", ["At run time", "For development"])
def test_every_line_names_a_purpose_and_a_licence(heading: str) -> None:
    assert [row[0] for row in LINES[heading] if not (row[1] and row[-1])] == []


def test_every_runtime_dependency_has_its_reason_and_its_cost() -> None:
    assert [row[0] for row in LINES["At run time"] if not (row[2] and row[3].isdigit())] == []
