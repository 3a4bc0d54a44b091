"""What several commands ask for in the same words."""

import sys

import click

from headrace.base.errors import OperatorError

__all__ = ["confirm", "json_option", "revision_option", "shares", "yes_option"]

json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")

yes_option = click.option("--yes", is_flag=True, help="Do it without asking.")

revision_option = click.option(
    "--revision",
    type=click.IntRange(1),
    metavar="N",
    help="Only if nobody has changed it since; `show` says which revision it has.",
)


def confirm(question: str, *, yes: bool) -> None:
    """Return if a person agrees, or has done so with --yes.

    Raises click.Abort for a no, and OperatorError where there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise OperatorError("nobody is here to be asked: look at it with --dry-run, and then give --yes")
    if not click.confirm(question, err=True):
        click.echo("nothing was changed", err=True)
        raise click.Abort


def shares(texts: tuple[str, ...], names: tuple[str, ...]) -> dict[str, float]:
    """Return shares from 0 to 1 by name, of texts like provider=0.4 or region=50%. Raises UsageError."""
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
        except ValueError:
            share = -1
        if name not in names or not 0 <= share <= 1:
            raise click.UsageError(
                f"{text!r} is no limit: write one of {', '.join(names)}, and = and a share, like"
                f" {names[0]}=0.4 or {names[0]}=40%."
            )
        found[name] = share
    return found
