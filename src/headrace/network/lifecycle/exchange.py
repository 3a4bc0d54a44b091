"""Channels, sponsors, campaigns, providers, hosts, servers as JSON lines: out, changed elsewhere, in again.

Facts are plain text. With secrets, the whole is sealed: it takes a passphrase or key file to read. All rows
are checked before anything changes; one that somebody has changed since it was exported is a conflict; and
either all come in or none.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from headrace.base.errors import OperatorError
from headrace.network.book import Change, View
from headrace.network.book.identifiers import bucket_id, pseudonym, public_id, unused
from headrace.network.lifecycle.making import make_host_secrets, make_server_secrets
from headrace.network.lifecycle.rows import KINDS, NAMES, Row, read_row, row_of
from headrace.network.lifecycle.standing import move
from headrace.network.model import Entity, Host, Server, Sponsor, Status
from headrace.network.vault import OperatorKey

__all__ = ["Imported", "export_rows", "export_sealed", "import_rows"]

_CONTEXT: Final = b"headrace exchange"
_SEALED_MARK: Final = b"HRW1"
#: Names that are never used again or that users have, dates that are history, the gate before publication.
_FIXED: Final = frozenset(
    {"pseudonym", "public_id", "published_id", "bucket_id", "created_at", "removed_at", "tested_at"}
)
#: They go with a private key, which a row without secrets does not have.
_PUBLIC_HALVES: Final = frozenset(
    {
        "ssh_host_key",
        "meek_cookie_public_key",
        "tactics_request_public_key",
        "inproxy_session_public_key",
    }
)
#: With another of these a server is where no client has gone through it.
_WHERE: Final = frozenset({"address", "host_id"})
#: What is drawn for a new row that does not say.
_DRAWN: Final = {
    "channel": ("public_id", public_id),
    "sponsor": ("public_id", public_id),
    "campaign": ("bucket_id", bucket_id),
    "provider": ("published_id", public_id),
    "server": ("pseudonym", pseudonym),
}
_REFERENCES_NEEDED: Final = {
    "campaign": ("sponsor_id", "channel_id"),
    "host": ("provider_id",),
    "server": ("host_id", "channel_id"),
}
_MOST_TOLD: Final = 5

Progress = Callable[[int, int | None], None]


@dataclass(slots=True)
class Imported:
    """How many rows of each kind were added or changed, and how many were as they are already."""

    added: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    same: int = 0


def export_rows(view: View, kinds: Collection[str] = tuple(KINDS), *, identified: bool = True) -> bytes:
    """Return the facts of all entities of these kinds, a line for each.

    Without `identified` they are for another network, where they would be new.
    """
    return b"".join(_lines(view, kinds, identified, with_secrets=False))


def export_sealed(
    change: Change, key: OperatorKey, kinds: Collection[str] = tuple(KINDS), *, identified: bool = True
) -> bytes:
    """Return facts and secrets, sealed with a key. That it was done is on record."""
    lines = list(_lines(change, kinds, identified, with_secrets=True))
    change.record("export", "with secrets", {"kinds": list(kinds), "rows": len(lines)})
    return key.wrap(b"".join(lines), _CONTEXT, change.rng)


def import_rows(
    change: Change,
    data: bytes,
    key: OperatorKey | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Imported:
    """Take in rows, plain or sealed with the key.

    Columns that a row leaves out stay as they are. A new server without secrets gets new ones; it, and one
    that is at another address now, is to be tested before users are told of it. Raises OperatorError naming
    lines, Conflict, WrongKey, DamagedSecret.
    """
    sealed = data.startswith(_SEALED_MARK)
    if sealed and key is None:
        raise OperatorError("this is sealed: give the passphrase or key file that it was exported with")
    rows = _read(key.unwrap(data, _CONTEXT) if sealed and key is not None else data, sealed)
    with change.session.no_autoflush:
        importing = _Importing(change, rows)
        importing.check()
        done = importing.apply(progress)
    change.session.flush()
    return done


class _Importing:
    """Rows, and what is there of them already."""

    def __init__(self, change: Change, rows: list[Row]) -> None:
        self._change = change
        self._rows = rows
        self._there = {kind: {each.id: each for each in change.all(KINDS[kind])} for kind in KINDS}
        self._entities: list[Entity] = []
        self._done = Imported()

    def check(self) -> None:
        """Raise Conflict, or OperatorError with what is wrong."""
        _raise([row.problem(text) for row in self._rows for text in self._problems(row)])
        for row in self._rows:
            if (entity := self._present(row)) is not None:
                self._change.expect(entity, row.revision)
        names = {kind: Counter(self._names(kind)) for kind in KINDS}
        _raise(
            f"two would have the name of the {kind} {name!r}"
            for kind in KINDS
            for name, count in names[kind].items()
            if count > 1
        )
        _raise(
            row.problem(f"there is no {kind} {name!r}")
            for row in self._rows
            for kind, name in row.references.values()
            if name and name not in names[kind]
        )

    def apply(self, progress: Progress) -> Imported:
        """Add and change what the rows say."""
        for number, row in enumerate(self._rows):
            progress(number, len(self._rows))
            self._entities.append(self._present(row) or self._new(row))
        pairs = list(zip(self._rows, self._entities, strict=True))
        changed = [row.id is not None and self._set(entity, row.fields) for row, entity in pairs]
        named = {
            kind: {getattr(each, NAMES[kind]): each.id for each in self._there[kind].values()}
            for kind in KINDS
        }
        for place, (row, entity) in enumerate(pairs):
            references = {
                column: named[kind][name] if name else None for column, (kind, name) in row.references.items()
            }
            changed[place] |= self._set(entity, references)
            changed[place] |= self._set_secrets(entity, row.secrets or {})
            if row.id is None and isinstance(entity, Server) and not row.secrets:
                self._supply(entity)
        self._choose_default_sponsor()
        for row, different in zip(self._rows, changed, strict=True):
            if row.id is not None:
                self._done.changed[row.kind] += different
                self._done.same += not different
        progress(len(self._rows), len(self._rows))
        return self._done

    def _present(self, row: Row) -> Entity | None:
        return None if row.id is None else self._there[row.kind][row.id]

    def _names(self, kind: str) -> Iterator[str]:
        """Yield the names of a kind as they will be."""
        renamed = {row.id: row.name for row in self._rows if row.kind == kind and row.name}
        for each in self._there[kind].values():
            yield renamed.get(each.id) or str(getattr(each, NAMES[kind]))
        yield from (row.name for row in self._rows if row.kind == kind and row.id is None and row.name)

    def _problems(self, row: Row) -> Iterator[str]:
        if row.id is None:
            needed = ["name"] if NAMES[row.kind] == "name" else []
            needed += {"host": ["region"], "server": ["address"]}.get(row.kind, [])
            yield from (f"a new {row.kind} needs {name}" for name in needed if not row.fields.get(name))
            for column in _REFERENCES_NEEDED.get(row.kind, ()):
                if column not in row.references:
                    yield f"a new {row.kind} needs a {column.removesuffix('_id')}"
            return
        if (entity := self._there[row.kind].get(row.id)) is None:
            yield (
                f"there is no {row.kind} with this id; to add one, leave id and revision out"
                " (an export for another network does)"
            )
            return
        for name in _FIXED & row.fields.keys():
            if getattr(entity, name) != row.fields[name]:
                yield f"{name} cannot be changed: it is {_told(getattr(entity, name))}"
        for name in _PUBLIC_HALVES & row.fields.keys() if not row.secrets else ():
            if getattr(entity, name) != row.fields[name]:
                yield f"{name} goes with a private key, and is not changed alone: rotate the key instead"
        status = row.fields.get("status")
        if status is not None and status != getattr(entity, "status", None) and not _can_be(status):
            yield f"the status cannot become {status!r} by an import: use the command for it"

    def _new(self, row: Row) -> Entity:
        """Add an entity, without what it refers to."""
        fields = {name: value for name, value in row.fields.items() if name != "tested_at"}
        if row.kind in ("host", "server"):
            fields.setdefault("created_at", self._change.now)
        if row.kind in _DRAWN:
            column, draw = _DRAWN[row.kind]
            used = {getattr(each, column) for each in self._there[row.kind].values()}
            fields[column] = fields.get(column) or unused(draw, used, self._change.rng)
        entity = self._change.add(KINDS[row.kind](**fields))
        self._there[row.kind][entity.id] = entity
        self._done.added[row.kind] += 1
        return entity

    def _set(self, entity: Entity, values: Mapping[str, Any]) -> bool:
        """Set what is not so already; return whether there was any of that."""
        different = {name: value for name, value in values.items() if getattr(entity, name) != value}
        for name, value in different.items():
            if name == "status" and isinstance(entity, Server | Host):
                move(entity, Status(value))
            else:
                setattr(entity, name, value)
        if isinstance(entity, Server) and _WHERE & different.keys():
            entity.tested_at = None
        return bool(different)

    def _set_secrets(self, entity: Entity, secrets: Mapping[str, str]) -> bool:
        known = self._change.secrets(entity) if secrets else {}
        different = {name: text for name, text in secrets.items() if known.get(name) != text}
        if different:
            self._change.set_secrets(entity, different)
        return bool(different)

    def _supply(self, server: Server) -> None:
        """Give a new server, and its host, the keys that are needed."""
        if not Status(server.status or Status.NEW).alive:
            return
        capabilities = server.capabilities or []
        made = make_server_secrets(capabilities, self._change.rng)
        server.ssh_host_key = made.columns["ssh_host_key"]
        self._change.set_secrets(server, made.secrets)
        host = self._there["host"][server.host_id]
        shared = make_host_secrets(capabilities, self._change.rng)
        if not shared.secrets.keys() <= self._change.secrets(host).keys():
            self._change.set_secrets(host, shared.secrets)
            for name, value in shared.columns.items():
                setattr(host, name, value)

    def _choose_default_sponsor(self) -> None:
        settings = self._change.settings
        sponsors = [row for row in self._rows if row.kind == "sponsor"]
        if settings.default_sponsor_id is None and sponsors:
            first = next(each for each in self._there["sponsor"].values() if isinstance(each, Sponsor))
            settings.default_sponsor_id = first.id


def _lines(view: View, kinds: Collection[str], identified: bool, with_secrets: bool) -> Iterator[bytes]:
    if unknown := sorted(set(kinds) - KINDS.keys()):
        raise OperatorError(f"{unknown[0]!r} is not exchanged; what is: {', '.join(KINDS)}")
    entities = {kind: view.all(KINDS[kind]) for kind in KINDS}
    names = {each.id: str(getattr(each, NAMES[kind])) for kind in KINDS for each in entities[kind]}
    for kind in KINDS:
        if kind not in kinds:
            continue
        if with_secrets:
            view.load_secrets(entities[kind])
        for entity in sorted(entities[kind], key=lambda each: names[each.id]):
            secrets = view.secrets(entity) if with_secrets else None
            yield msgspec.json.encode(row_of(kind, entity, names, secrets, identified)) + b"\n"


def _read(data: bytes, sealed: bool) -> list[Row]:
    rows, problems, ids = [], [], set()
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = read_row(number, line, sealed=sealed)
        except OperatorError as error:
            problems.append(str(error))
            continue
        if row.id is not None and row.id in ids:
            problems.append(row.problem("it is there twice"))
        ids.add(row.id)
        rows.append(row)
    _raise(problems)
    if not rows:
        raise OperatorError("there is nothing to import")
    order = list(KINDS)
    return sorted(rows, key=lambda row: order.index(row.kind))


def _raise(problems: Iterable[str]) -> None:
    if found := list(problems):
        more = f"; and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
        raise OperatorError("; ".join(found[:_MOST_TOLD]) + more)


def _can_be(status: str) -> bool:
    return Status(status).alive


def _told(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)
