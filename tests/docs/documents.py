"""The documents, cut into what the tests here look at."""

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Block", "blocks", "documents", "sections", "tables"]

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"<!-- table: (.+?) -->\n(.*?)\n<!-- end -->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: which document, which language, what is in it."""

    document: str
    language: str
    text: str


def documents() -> dict[str, str]:
    """Return the text of each document by its path from the root."""
    paths = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")]
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted(paths)}


def blocks(*languages: str) -> list[Block]:
    """Return the fenced blocks written in one of `languages`."""
    return [
        Block(name, language, text)
        for name, whole in documents().items()
        for _, language, text in _FENCE.findall(whole)
        if language in languages
    ]


def tables(document: str) -> dict[str, list[list[str]]]:
    """Return the marked tables of a document by name: rows of cells, without the head."""
    return {name: _rows(text) for name, text in _TABLE.findall(documents()[document])}


def sections(document: str) -> dict[str, list[list[str]]]:
    """Return the first table under each heading of a document: rows of cells, without the head."""
    parts = re.split(r"^#+ (.+)$", documents()[document], flags=re.MULTILINE)
    return {heading: _rows(text) for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def _rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
