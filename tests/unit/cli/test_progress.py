"""The bar shows on a terminal, and nowhere else."""

import io

import pytest

from headrace.cli.progress import progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stderr", terminal := _Terminal())
    with progress("moving") as bar:
        bar(500_000, 1_000_000)
        bar.tell("[red]attempt[/] 1")
    shown = terminal.getvalue()
    assert "moving" in shown
    assert "[red]attempt[/] 1" in shown
    assert "0.5/1.0 MB" in shown


def test_counting_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", terminal := _Terminal())
    with progress("paving", in_bytes=False) as bar:
        bar(3, 10)
    assert "3/10" in terminal.getvalue()


@pytest.mark.parametrize("quiet", [False, True])
def test_elsewhere(quiet: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if quiet:
        monkeypatch.setattr("sys.stderr", terminal := _Terminal())
    with progress("moving", quiet=quiet) as bar:
        bar(1, None)
        bar.tell("a line")
    assert (terminal.getvalue() if quiet else capsys.readouterr().err) == "a line\n"
