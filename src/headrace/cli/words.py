"""Texts for a terminal."""

__all__ = ["entries", "printable"]


def entries(count: int) -> str:
    """Return how many there are, in words."""
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


def printable(text: str) -> str:
    """Return `text` without what could move a terminal's cursor: documents are written by others."""
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in text)
