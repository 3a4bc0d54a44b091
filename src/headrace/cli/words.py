"""Texts for a terminal."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["entries", "printable", "say", "servers"]


def entries(count: int) -> str:
    """Return how many there are, in words."""
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


def servers(count: int) -> str:
    """Return how many there are, in words."""
    return f"{count:,} {'server' if count == 1 else 'servers'}"


def printable(text: str) -> str:
    """Return `text` without what could move a terminal's cursor: documents are written by others."""
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in text)


def say(console: "Console", text: str, *, style: str = "") -> None:
    """Print a text: on a terminal broken between words, in a file or a pipe as it is."""
    console.print(printable(text), style=style, markup=False, soft_wrap=not console.is_terminal)
