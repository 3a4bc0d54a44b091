"""docs/attacks.md names tests that exist, and leaves out no file of tests/security."""

import ast
import re

import pytest
from tests.docs.documents import ROOT, documents

ATTACKS = documents()["docs/attacks.md"]
NAMED = re.findall(r"^- `(tests/[\w/]+\.py)::(\w+)`$", ATTACKS, re.MULTILINE)


def names_of_tests(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_named_tests_exist(path: str) -> None:
    assert {name for other, name in NAMED if other == path} - names_of_tests(path) == set()


def test_every_item_of_a_list_of_tests_is_one() -> None:
    items = re.findall(r"^- (.*tests/.*)$", ATTACKS, re.MULTILINE)
    assert len(items) == len(NAMED)


def test_every_file_of_security_tests_is_mentioned() -> None:
    files = {f"tests/security/{path.name}" for path in (ROOT / "tests" / "security").glob("test_*.py")}
    assert files - {path for path, _ in NAMED} == set()


def test_every_attack_says_what_is_done_and_names_a_test() -> None:
    attacks = re.split(r"^### ", ATTACKS, flags=re.MULTILINE)[1:]
    incomplete = [
        attack.splitlines()[0]
        for attack in attacks
        if not all(f"**{part}.**" in attack for part in ("Attack", "Answer", "Tests"))
        or "::test_" not in attack
    ]
    assert incomplete == []
