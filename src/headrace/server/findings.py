"""What there is to mend in a file: on which line, in which field, and why."""

import re
from enum import StrEnum
from pathlib import Path

import msgspec

from headrace.documents.json_lines import find_line

__all__ = ["Finding", "Level", "found", "with_line"]

_LINE = re.compile(r" at line (\d+)|^line (\d+): ")
_FIELD = re.compile(r"([A-Za-z_][\w.\[\]]*): ")


class Level(StrEnum):
    """What comes of it."""

    ERROR = "error"  #: the server does not start, or keeps the state it had
    WARNING = "warning"  #: it runs, but hardly as it was meant to


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something to mend: where, and what to do about it."""

    level: Level = Level.ERROR
    file: str
    line: int | None = None
    field: str = ""
    text: str

    @property
    def place(self) -> str:
        """The file, and the line where one is known."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.place}: {f'{self.field}: ' if self.field else ''}{self.text}"


def found(path: Path, data: bytes, text: str) -> Finding:
    """Return an error as our readers tell it, taken apart; `data` is what is in the file."""
    text = text.removeprefix(f"{path}: ")
    if line := _LINE.search(text):
        rest = text[line.end() :] if line[2] else text
        return Finding(file=str(path), line=int(line[1] or line[2]), text=rest)
    if field := _FIELD.match(text):
        line_number = find_line(data.decode("utf-8", "replace"), field[1])
        rest = text[field.end() :].removeprefix(f"{path} ")
        return Finding(file=str(path), line=line_number, field=field[1], text=rest)
    return Finding(file=str(path), text=text)


def with_line(text: str) -> str:
    """Return an error as our readers tell it, "file: field: why", with the line where it can be found."""
    path = Path(text.partition(": ")[0])
    try:
        data = path.read_bytes()
    except (OSError, ValueError):
        return text
    return str(found(path, data, text))
