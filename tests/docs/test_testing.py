"""docs/testing.md: its examples are run, as in another project, and its tables name what there is."""

import re

import pytest
from tests.docs.documents import ROOT

import headrace.testing.active_probing
import headrace.testing.censorship
import headrace.testing.conditions
import headrace.testing.measures
import headrace.testing.plugin
import headrace.testing.tampering

pytest_plugins = ["pytester"]

PAGE = (ROOT / "docs" / "testing.md").read_text()
EXAMPLES = re.findall(r"^```python test\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(CONFTEST,) = re.findall(r"^```python conftest\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def table(head: str) -> list[str]:
    """Return the first cells of the table whose first column is called so."""
    (rows,) = re.findall(rf"^\| {head} \|.*\n\| ---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [row.split(" | ")[0].strip("| ") for row in rows.splitlines()]


def names(head: str) -> set[str]:
    return {name for cell in table(head) for name in re.findall(r"`(\w+)", cell)}


def test_the_examples_pass(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makeconftest(CONFTEST)
    assert len(EXAMPLES) >= 4
    for number, example in enumerate(EXAMPLES):
        (pytester.path / f"test_{number}.py").write_text(example)
    result = pytester.runpytest_subprocess("--strict-markers", "-p", "no:cacheprovider", "-W", "error")
    twice = sum("both_loops" in example for example in EXAMPLES)
    result.assert_outcomes(passed=len(EXAMPLES) + twice)


def test_every_measure_and_condition_is_listed() -> None:
    measure = headrace.testing.censorship.Measure
    listed = {name for head in ("measure", "condition") for name in names(head)}
    kit = headrace.testing
    modules = (kit.measures, kit.tampering, kit.conditions, kit.active_probing)
    there = {
        name
        for module in modules
        for name in module.__all__
        if isinstance(found := getattr(module, name), type) and issubclass(found, measure)
    }
    assert listed == there


def test_every_ending_is_listed() -> None:
    assert names("ending") == {ending.name for ending in headrace.testing.censorship.Ending}


def test_every_fixture_and_marker_is_listed(pytestconfig: pytest.Config) -> None:
    public = set(headrace.testing.plugin.__all__)
    assert names("fixture") == {name for name in public if name.islower() and not name.startswith("pytest_")}
    assert names("marker") == {"virtual_time", "both_loops"}
