"""What several commands ask for."""

from types import SimpleNamespace

import click
import pytest

from headrace.base.errors import OperatorError
from headrace.cli.network.options import confirm, shares


def test_shares_are_numbers_or_percentages() -> None:
    assert shares(("port=0.25", "region=50%"), ("port", "region")) == {"port": 0.25, "region": 0.5}


@pytest.mark.parametrize("text", ["port", "port=", "port=1.1", "port=101%", "port=nan", "colour=0.1"])
def test_nothing_else_is_a_share(text: str) -> None:
    with pytest.raises(click.UsageError, match=r"port=0\.4"):
        shares((text,), ("port", "region"))


def test_where_nobody_can_be_asked_yes_has_to_be_said() -> None:
    confirm("Go on?", yes=True)
    with pytest.raises(OperatorError, match="--yes"):
        confirm("Go on?", yes=False)


@pytest.mark.parametrize(("answer", "goes_on"), [(True, True), (False, False)])
def test_a_person_is_asked(answer: bool, goes_on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(click, "confirm", lambda question, err: answer)
    if goes_on:
        confirm("Go on?", yes=False)
    else:
        with pytest.raises(click.Abort):
            confirm("Go on?", yes=False)
