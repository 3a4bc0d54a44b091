"""The help of every command, as docs/commands.md has it; `python -m tests.docs.commands` writes it anew."""

from collections.abc import Iterator

import click
from click.testing import CliRunner
from tests.docs.documents import ROOT

from headrace.cli.root import headrace

__all__ = ["PAGE", "Path", "leaves", "page", "walk"]

PAGE = ROOT / "docs" / "commands.md"
_WIDTH = 100
_HEAD = """# Commands

What `headrace COMMAND --help` says, for every command. This page is written by the program:
`python -m tests.docs.commands`.
"""

Path = tuple[str, ...]


def walk(
    command: click.Command = headrace, path: Path = ("headrace",)
) -> Iterator[tuple[Path, click.Command]]:
    """Yield every command with the words that lead to it, groups before what is in them."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from walk(inner, (*path, name))


def leaves() -> dict[Path, click.Command]:
    """Return the commands that do something themselves."""
    return {path: command for path, command in walk() if not isinstance(command, click.Group)}


def page() -> str:
    """Return what docs/commands.md should hold."""
    parts = [_HEAD]
    for path, _ in walk():
        arguments = [*path[1:], "--help"]
        result = CliRunner(env={"COLUMNS": str(_WIDTH)}).invoke(headrace, arguments, prog_name=path[0])
        text = "\n".join(line.rstrip() for line in result.output.splitlines())
        parts.append(f"## {' '.join(path)}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
