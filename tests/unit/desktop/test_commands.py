"""Running the desktop's programs."""

import sys

import pytest

from headrace.base.errors import OperatorError
from headrace.desktop import commands
from headrace.desktop.commands import run

PYTHON = sys.executable


def test_what_was_printed() -> None:
    assert run((PYTHON, "-c", "print('größe')")) == "größe\n"


def test_no_shell_in_between() -> None:
    assert run((PYTHON, "-c", "import sys; print(sys.argv[1])", "$HOME; `id`")) == "$HOME; `id`\n"


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(OperatorError, match="no-such-program is not installed"):
        run(("no-such-program",))


def test_a_file_that_is_no_program() -> None:
    with pytest.raises(OperatorError, match="cannot be run: Permission denied"):
        run(("/dev/null",))


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("sys.exit('it is locked')", "it is locked"),
        ("sys.exit(7)", "exit code 7"),
        ("print('so'); sys.exit(1)", "so"),
    ],
)
def test_a_program_that_refuses(code: str, why: str) -> None:
    with pytest.raises(OperatorError, match=why):
        run((PYTHON, "-c", f"import sys; {code}"))


def test_a_program_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_PATIENCE", 0.01)
    with pytest.raises(OperatorError, match="has not answered within"):
        run((PYTHON, "-c", "import signal; signal.pause()"))


def test_bytes_that_are_no_text_come_back_the_same() -> None:
    name = run((PYTHON, "-c", r"import sys; sys.stdout.buffer.write(b'\xff')"))
    assert run((PYTHON, "-c", "import os, sys; print(os.fsencode(sys.argv[1]).hex())", name)) == "ff\n"
