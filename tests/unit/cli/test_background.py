"""The words with which a client is started in the background."""

from typing import Any

import click
import pytest
from click.testing import CliRunner

from headrace.cli.background import arguments, environment
from headrace.cli.client import client
from headrace.cli.connect import connect
from headrace.cli.root import headrace


def handed_on(*given: str, variables: dict[str, str] | None = None) -> tuple[list[str], dict[str, str]]:
    """Return what a command of several kinds of options would hand on: words, and the environment."""
    words: list[str] = []
    left: dict[str, str] = {}

    @click.command()
    @click.option("--file")
    @click.option("--number", type=int, default=5)
    @click.option("--secret", envvar="SECRET")
    @click.option("--flag", is_flag=True)
    @click.option("--colour/--no-colour", default=True)
    @click.option("--many", multiple=True)
    @click.option("--own")
    @click.pass_context
    def command(context: click.Context, /, **options: Any) -> None:
        words.extend(arguments(context, context.command.params[:-1]))
        left.update(environment(context, context.command.params[:-1]))

    result = CliRunner().invoke(command, given, env=variables, catch_exceptions=False)
    assert result.exit_code == 0
    return words, left


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], []),
        (["--own", "x"], []),
        (["--file", "a b", "--number=0"], ["--file=a b", "--number=0"]),
        (["--file", "--flag"], ["--file=--flag"]),
        (["--file", ""], ["--file="]),
        (["--flag", "--no-colour"], ["--flag", "--no-colour"]),
        (["--many", "1", "--many", "2"], ["--many=1", "--many=2"]),
    ],
)
def test_what_was_given_is_handed_on_and_nothing_else(given: list[str], words: list[str]) -> None:
    assert handed_on(*given) == (words, {})


def test_secrets_are_handed_on_where_nobody_else_can_read_them() -> None:
    assert handed_on("--secret", "x", "--flag") == (["--flag"], {"SECRET": "x"})
    assert handed_on("--secret=x", variables={"SECRET": "y"}) == ([], {"SECRET": "x"})
    assert handed_on(variables={"SECRET": "y"}) == ([], {"SECRET": "y"})


def test_connect_takes_what_a_client_takes() -> None:
    shown = {name for param in client.params if not getattr(param, "hidden", False) for name in param.opts}
    own = {"access_link", "--name", "--wait", "--keep-trying"}
    assert {name for param in connect.params for name in param.opts} == shown | own


def test_nobody_starts_a_client_under_a_name_that_is_none() -> None:
    result = CliRunner().invoke(headrace, ["connect", "--name", "../x"])
    assert "--name" in str(result.exception)
