"""On which line of a JSON file something is: for those who have to mend it.

Paths are as in our errors: `DefaultRules.AllowTCPPorts[3]`; `[...]` is whatever name an object has there.
"""

import re
from collections.abc import Iterator

from headrace.documents.config_reader import fold_name

__all__ = ["find_line"]

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|[{}\[\],:]|[^\s{}\[\],:"]+')
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def find_line(text: str, path: str) -> int | None:
    """Return the line, counted from 1, of what `path` leads to, or of the innermost part of it that is there.

    None if not even its first part is there. The text need not be JSON.
    """
    steps = [name or index for name, index in _STEP.findall(path)]
    best, line = 0, None
    for here, at in _places(text):
        depth = _common(here, steps)
        if depth == len(here) > best:
            best, line = depth, text.count("\n", 0, at) + 1
            if best == len(steps):
                break
    return line


def _places(text: str) -> Iterator[tuple[list[str], int]]:
    """Yield the path and the position of every member of an object or a list, in order."""
    path: list[str] = []  # of the place we are at: the last step of each object or list that is open
    kinds: list[str] = []
    next_item = False  # an item of a list is to come
    for token in _TOKEN.finditer(text):
        word = token[0]
        if next_item and word != "]":
            yield path, token.start()
        next_item = word in ",[" and (word == "[" or kinds[-1:] == ["["])
        if word in "{[":
            kinds.append(word)
            path.append("" if word == "{" else "0")
        elif word in "}]" and kinds:
            kinds.pop()
            path.pop()
        elif word == "," and kinds:
            path[-1] = str(int(path[-1]) + 1) if kinds[-1] == "[" else ""
        elif token[1] is not None and kinds and kinds[-1] == "{" and not path[-1]:
            path[-1] = token[1]
            yield path, token.start()


def _common(here: list[str], steps: list[str]) -> int:
    """Return how many steps both begin with."""
    count = 0
    for name, step in zip(here, steps, strict=False):
        if step != "..." and fold_name(name) != fold_name(step):
            break
        count += 1
    return count
