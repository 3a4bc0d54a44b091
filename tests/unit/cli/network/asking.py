"""Commands of an operator, run in this process, and what they say to programs."""

import json
from typing import Any

from tests.unit.cli.running import Outcome, run

__all__ = ["ask", "changed", "network_command"]


def network_command(*arguments: object, input: str | None = None) -> Outcome:
    """Run `headrace network …`."""
    return run("network", *arguments, input=input)


def ask(*arguments: object) -> Any:
    """Return what a command says to programs; it has to succeed."""
    outcome = network_command(*arguments, "--json")
    assert outcome.code == 0, outcome
    return json.loads(outcome.out)


def changed(report: Any, kind: str) -> dict[str, dict[str, Any]]:
    """Return what a report has of a kind, by name: how it is after the change."""
    return {each["name"]: each["after"] for each in report["changed"] if each["kind"] == kind}
