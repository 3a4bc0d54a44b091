"""Errors as our readers tell them, taken apart."""

from pathlib import Path

import pytest

from headrace.server.findings import found, with_line

PATH = Path("/etc/rules")
DATA = b'{\n "A": {\n  "B": 1}}'


@pytest.mark.parametrize(
    ("text", "line", "field", "why"),
    [
        ("/etc/rules: not JSON: x at line 7 column 3", 7, "", "not JSON: x at line 7 column 3"),
        ("/etc/rules: line 9: three fields", 9, "", "three fields"),
        ("/etc/rules: A.B: is below zero: write zero", 3, "A.B", "is below zero: write zero"),
        ("A: /etc/rules cannot be read", 2, "A", "cannot be read"),
        ("/etc/rules: Missing: is missing", None, "Missing", "is missing"),
        ("the host key is neither", None, "", "the host key is neither"),
    ],
)
def test_taking_apart(text: str, line: int | None, field: str, why: str) -> None:
    finding = found(PATH, DATA, text)
    assert (finding.file, finding.line, finding.field, finding.text) == (str(PATH), line, field, why)


def test_the_line_is_added_where_the_file_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "rules"
    path.write_bytes(DATA)
    assert with_line(f"{path}: A.B: is wrong") == f"{path}:3: A.B: is wrong"
    for text in (f"{tmp_path}: A.B: is wrong", "A: is wrong", "\0: is wrong", ""):
        assert with_line(text) == text
