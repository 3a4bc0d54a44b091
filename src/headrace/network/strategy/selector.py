"""Servers named by what they have in common: where they run, since when, and with which program.

    provider=acme,created<2026-01-01,software=headrace-0.1

All conditions hold for what is selected; of several values for one field one is enough. Fields are provider,
image, software, region, channel (name or public id), capability, and created (<, <=, >, >= and a date or
time; UTC unless it says otherwise). A software without its last numbers is every version that begins so.
"""

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from headrace.base.errors import OperatorError
from headrace.network.model import Server, Status

__all__ = ["EVERY", "Condition", "Selector", "parse_selector"]

#: Selects every server there is.
EVERY: Final = "all"

_CONDITION: Final = re.compile(r"\s*([a-z]+)\s*(<=|>=|=|<|>)\s*(.*?)\s*")
_COMPARED: Final[dict[str, Callable[[datetime, datetime], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CREATED: Final = "created"


def _software(name: str) -> str:
    return re.sub(r"[\s/]+", "-", name.strip()).lower()


#: What a server has for each field, and so may be asked for.
_VALUES: Final[dict[str, Callable[[Server], Sequence[str]]]] = {
    "provider": lambda server: (server.host.provider.name,),
    "image": lambda server: (server.host.provider.image,),
    "software": lambda server: (server.host.software,),
    "region": lambda server: (server.host.region,),
    "channel": lambda server: (server.channel.name, server.channel.public_id),
    "capability": lambda server: server.capabilities,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, as written; `time` is that of a `created`."""

    field: str
    relation: str
    value: str
    time: datetime | None = None

    def holds(self, server: Server) -> bool:
        """Say whether it holds for a server."""
        if self.time is not None:
            return _COMPARED[self.relation](server.created_at, self.time)
        values = _VALUES[self.field](server)
        if self.field == "software":
            wanted = _software(self.value)
            return any(
                _software(value) == wanted or _software(value).startswith(wanted + ".") for value in values
            )
        return self.value.casefold() in (value.casefold() for value in values)

    def __str__(self) -> str:
        return f"{self.field}{self.relation}{self.value}"


@dataclass(frozen=True, slots=True)
class Selector:
    """Conditions; without one it selects everything."""

    conditions: tuple[Condition, ...] = ()

    def select(self, servers: Iterable[Server]) -> list[Server]:
        """Return the servers selected, in their order; of what is gone, none.

        Raises OperatorError if a value is one that no server has at all: it was mistyped, and to select
        nothing would look as if nothing were affected.
        """
        alive = [server for server in servers if Status(server.status).alive]
        for condition in self.conditions:
            if condition.time is None and not any(map(condition.holds, alive)):
                raise OperatorError(_nothing(condition, alive))
        return [server for server in alive if self.matches(server)]

    def matches(self, server: Server) -> bool:
        """Say whether a server has all that is asked for."""
        asked: dict[str, bool] = {}
        for condition in self.conditions:
            holds = condition.holds(server)
            if condition.time is not None:
                if not holds:
                    return False
            else:
                asked[condition.field] = asked.get(condition.field, False) or holds
        return all(asked.values())

    def __str__(self) -> str:
        return ",".join(map(str, self.conditions)) or EVERY


def parse_selector(text: str) -> Selector:
    """Return the selector that a text describes. Raises OperatorError saying what to write."""
    if text.strip() == EVERY:
        return Selector()
    if not text.strip():
        raise OperatorError(
            f"no server is selected: write conditions, like provider=acme,created<2026-01-01, or {EVERY}"
        )
    return Selector(tuple(map(_condition, text.split(","))))


def _condition(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise OperatorError(f"{text.strip()!r} is no condition: write one like provider=acme")
    field, relation, value = match.groups()
    if field != _CREATED and field not in _VALUES:
        raise OperatorError(
            f"{field!r} is nothing to select by: write one of {', '.join((*_VALUES, _CREATED))}"
        )
    if not value:
        raise OperatorError(f"{field} has no value: write one behind {relation}")
    if field == _CREATED:
        if relation not in _COMPARED:
            raise OperatorError("created is compared, not equal: write created<2026-01-01, or <=, > or >=")
        return Condition(field, relation, value, _time(value))
    if relation != "=":
        raise OperatorError(f"{field} cannot be compared by {relation}: write {field}={value}")
    return Condition(field, relation, value)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise OperatorError(
            f"{text!r} is no date or time: write one like 2026-01-01 or 2026-01-01T12:00Z"
        ) from None


def _nothing(condition: Condition, servers: Iterable[Server]) -> str:
    there = sorted({value for server in servers for value in _VALUES[condition.field](server) if value})
    near = difflib.get_close_matches(condition.value, there, n=3) or there[:5]
    hint = f"there are {', '.join(near)}" if near else "none has any"
    return f"no server has the {condition.field} {condition.value!r}: {hint}"
