"""What is given on a command line to be set of one thing."""

import ipaddress
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.base.errors import OperatorError
from headrace.cli.files import read_file

if TYPE_CHECKING:
    from headrace.network.book import Change
    from headrace.network.model import Entity

__all__ = ["assign", "credentials_option", "given", "ip_address", "read_text", "rules", "words"]


def words(text: str) -> list[str]:
    """Return the words of a text with commas between them; of an empty one none."""
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


credentials_option = click.option(
    "--credentials",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="A file with what logs in there, kept sealed; - is standard input.",
)


def ip_address(text: str) -> str:
    """Return an IP address in its usual form, or "" for none. Raises BadParameter."""
    try:
        return str(ipaddress.ip_address(text)) if text else ""
    except ValueError:
        raise click.BadParameter(f"{text!r} is not an IP address.") from None


def given(**fields: Any) -> dict[str, Any]:
    """Return those that were given at all."""
    return {name: value for name, value in fields.items() if value is not None}


def assign(change: "Change", entity: "Entity", revision: int | None, fields: Mapping[str, Any]) -> None:
    """Set fields of what still has the revision. Raises Conflict."""
    if revision is not None:
        change.expect(entity, revision)
    for name, value in fields.items():
        setattr(entity, name, value)


def read_text(file: str, what: str = "the file") -> str:
    """Return the text of a file, without the end of its last line. Raises OperatorError."""
    try:
        return read_file(Path(file), what).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise OperatorError(f"{file} is not text") from None


def rules(file: Path | None) -> list[dict[str, str]] | None:
    """Return the rules in a file, [{"regex": …, "replace": …}, …]. Raises OperatorError."""
    if file is None:
        return None
    from headrace.network.lifecycle.pages import check_rule

    try:
        found = json.loads(read_file(file, "the rules"))
        return [check_rule(str(each["regex"]), str(each["replace"])) for each in found]
    except (ValueError, TypeError, KeyError):
        raise OperatorError(
            f'{file} has no rules: write a list, [{{"regex": "example\\\\.org", "replace": "news"}}]'
        ) from None
