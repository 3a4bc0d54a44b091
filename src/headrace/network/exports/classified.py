"""What the fields of a record are made of, and whether those for whom it is may see that.

    class Facts(msgspec.Struct):
        region: Annotated[str, MadeOf(Host.region)]
        password: Annotated[str, MadeOf(Secret(Server, "ssh_password"))]

A field without a word on it is a mistake, and so is one made of what its audience may not see: tests go over
all records. A field that says `MadeOf()` is made of nothing in the model.
"""

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, get_args, get_origin

import msgspec
from sqlalchemy import Column
from sqlalchemy.orm import InstrumentedAttribute

from headrace.network.model import Audience, Base, audiences, secret_audiences

__all__ = ["ENTRIES", "MadeOf", "Secret", "columns_used", "misclassified"]


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of an entity."""

    owner: type[Base]
    name: str


@dataclass(frozen=True, slots=True)
class _Entries:
    """Server entries, whose own record is checked by itself."""


#: Stands for server entries, which are there to be handed out.
ENTRIES: Final = _Entries()

Source = InstrumentedAttribute[Any] | Secret | _Entries


class MadeOf:
    """An annotation: the columns and secrets that a field is made of."""

    def __init__(self, *sources: Source) -> None:
        self.sources = sources


def misclassified(record: type[msgspec.Struct], audience: Audience) -> list[str]:
    """Return what is wrong with a record for an audience, a line for each field."""
    found = []
    for name, made_of in _fields(record):
        if made_of is None:
            found.append(f"{name} does not say what it is made of")
            continue
        found += [
            f"{name} is made of {_name(source)}, which is not for {audience}"
            for source in made_of.sources
            if not _may_see(source, audience)
        ]
    return found


def columns_used(record: type[msgspec.Struct]) -> set[str]:
    """Return the columns and secrets that a record is made of, as "table.column"."""
    return {
        _name(source) for _, made_of in _fields(record) if made_of is not None for source in made_of.sources
    }


def _fields(record: type[msgspec.Struct]) -> Iterator[tuple[str, MadeOf | None]]:
    for name, hint in typing.get_type_hints(record, include_extras=True).items():
        if get_origin(hint) is typing.ClassVar:
            continue
        notes = get_args(hint)[1:] if get_origin(hint) is typing.Annotated else ()
        made_of = next((note for note in notes if isinstance(note, MadeOf)), None)
        nested = list(_records(hint))
        if made_of is not None or not nested:
            yield f"{record.__name__}.{name}", made_of
        for inner in nested:
            yield from _fields(inner)


def _records(hint: Any) -> Iterator[type[msgspec.Struct]]:
    if (
        isinstance(hint, type)
        and not isinstance(hint, types.GenericAlias)
        and issubclass(hint, msgspec.Struct)
    ):
        yield hint
    for inner in get_args(hint):
        yield from _records(inner)


def _column(source: InstrumentedAttribute[Any]) -> Column[Any]:
    column: Column[Any] = source.property.columns[0]
    return column


def _may_see(source: Source, audience: Audience) -> bool:
    match source:
        case _Entries():
            return True
        case Secret(owner, name):
            return audience in secret_audiences(owner, name)
    return audience in audiences(_column(source))


def _name(source: Source) -> str:
    match source:
        case _Entries():
            return "server entries"
        case Secret(owner, name):
            return f"{owner.__tablename__}.secret.{name}"
    return str(_column(source))
