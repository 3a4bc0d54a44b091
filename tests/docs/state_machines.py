"""The client's state machines, drawn from the code's own tables.

`python -m tests.docs.state_machines` writes docs/state-machines.md anew.
"""

import enum
from collections.abc import Mapping
from typing import Any

from tests.docs.documents import ROOT

from headrace.client import phases
from headrace.establishment import states
from headrace.establishment.stages import Stage

__all__ = ["PAGE", "page"]

PAGE = ROOT / "docs" / "state-machines.md"

_HEAD = """# State machines

What the client can be at, and what leads from one to the next. This page is written by the program from the
tables it runs on: `python -m tests.docs.state_machines`.
"""

_RUN = """## A run

`client/phases.py`, moved by `client/controller.py`. The local proxies are open from the second phase on.
"""

_ESTABLISHMENT = """## An establishment

`establishment/states.py`, moved by `establishment/scheduler.py`. Each search for a tunnel, the first and
every later one, goes through it once.
"""

_ATTEMPT = """## An attempt

`establishment/stages.py`, moved by `client/tunnel.py`. An attempt may end after any of them, and the last one
it reached is what `headrace explain` shows.
"""

Table = Mapping[Any, Mapping[Any, Any]]


def _words(name: enum.Enum) -> str:
    return name.name.lower().replace("_", " ")


def _drawing(table: Table) -> str:
    lines = ["```mermaid", "stateDiagram-v2"]
    first = next(iter(table))
    lines.append(f"    [*] --> {first.name}")
    for state, ways in table.items():
        lines += [f"    {state.name} --> {after.name}: {turn.value}" for turn, after in ways.items()]
        if not ways:
            lines.append(f"    {state.name} --> [*]")
    return "\n".join([*lines, "```"])


def _meanings(table: Table) -> str:
    rows = [f"| {_words(state)} | {state.value} |" for state in table]
    return "\n".join(["| state | what is going on |", "| --- | --- |", *rows])


def _line(stages: type[Stage]) -> str:
    return "```text\n" + " ──► ".join(_words(stage) for stage in stages) + "\n```"


def page() -> str:
    """Return what docs/state-machines.md should hold."""
    parts = [_HEAD]
    for head, table in ((_RUN, phases.TRANSITIONS), (_ESTABLISHMENT, states.TRANSITIONS)):
        parts += [head, _drawing(table), _meanings(table)]
    return "\n\n".join(part.strip() for part in [*parts, _ATTEMPT, _line(Stage)]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
