"""A change: one transaction, with what it did to each object on record.

What clients see of a server has a version: any change to it, on the server, its host or its provider, raises
that once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import event, inspect, select, update
from sqlalchemy.orm import Session

from headrace.base.errors import OperatorError
from headrace.base.rng import Rng
from headrace.documents.entry_fields import derived_tag
from headrace.network.book.identifiers import object_id
from headrace.network.book.invariants import problems
from headrace.network.book.view import View
from headrace.network.model import (
    Audience,
    AuditEvent,
    ClientVersion,
    Entity,
    Host,
    Provider,
    SealedSecrets,
    Server,
    Status,
    secret_audiences,
    shapes_entries,
)
from headrace.network.vault import Vault

__all__ = ["Change", "ChangeEvent", "Conflict", "Invalid"]

E = TypeVar("E", bound=Entity)

#: What no audit event repeats: it is there already, or changes with everything.
_UNTOLD: Final = frozenset({"id", "revision", "configuration_version", "tag"})

_NAMES: Final = ("pseudonym", "name", "bucket_id", "purpose", "platform", "network_name")


class Conflict(OperatorError):
    """Somebody else has changed it since it was read."""


class Invalid(OperatorError):
    """The network would not be in order any more."""


@dataclass(slots=True)
class ChangeEvent:
    """What was done to one object; values are ready for JSON, secrets are fingerprints."""

    kind: str
    id: UUID
    name: str
    created: bool = False
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Touched:
    entity: Entity
    created: bool
    before: dict[str, Any] = field(default_factory=dict)
    secrets_before: dict[str, str] | None = None
    revised: bool = False


class Change(View):
    """A view that can be written to. It is given out by `Book.change`, which commits it."""

    def __init__(
        self, session: Session, vault: Vault, time: float, rng: Rng, actor: str, action: str, reason: str
    ) -> None:
        super().__init__(session, vault, time)
        self.rng = rng
        self.events: list[ChangeEvent] = []
        self._by = {"actor": actor, "action": action, "reason": reason}
        self._touched: dict[UUID, _Touched] = {}
        self._notes: list[AuditEvent] = []
        event.listen(session, "before_flush", self._record)

    def add(self, entity: E) -> E:
        """Add a new entity, give it its id, and return it."""
        entity.id = object_id(self.rng)
        self.session.add(entity)
        self._touched[entity.id] = _Touched(entity, created=True)
        return entity

    def expect(self, entity: Entity, revision: int) -> None:
        """Raise Conflict unless the entity is still as it was at that revision."""
        if entity.revision != revision:
            raise Conflict(
                f"{name_of(entity)} has been changed meanwhile (revision {entity.revision}, not {revision});"
                " look at it again"
            )

    def set_secrets(self, owner: Entity, values: Mapping[str, str | None]) -> None:
        """Set secrets of an entity, or take those away whose value is None.

        Raises KeyError for a name that such an entity does not have.
        """
        for name in values:
            secret_audiences(type(owner), name)
        touched = self._touch(owner)
        if touched.secrets_before is None:
            touched.secrets_before = dict(self.secrets(owner))
        new = dict(self.secrets(owner)) | {name: value for name, value in values.items() if value}
        for name, value in values.items():
            if not value:
                new.pop(name, None)
        self._secrets[owner.id] = new

    def strip_secrets(self, owner: Entity) -> None:
        """Take all secrets away from an entity."""
        self.set_secrets(owner, dict.fromkeys(self.secrets(owner)))

    def record(self, kind: str, name: str, after: Mapping[str, Any]) -> None:
        """Leave an audit event of something that was done and that is no change of an entity."""
        self._notes.append(
            AuditEvent(at=self.now, kind=kind, object_name=name, after=dict(after), **self._by)
        )
        self.events.append(ChangeEvent(kind, UUID(int=0), name, after=dict(after)))

    def settle(self) -> list[ChangeEvent]:
        """Bring everything into the state that would be committed, and return what has been done.

        Raises Invalid.
        """
        self.session.flush()
        self._write_secrets()
        servers = self._servers_seen_otherwise()
        self.session.flush()
        self._check(servers)
        noted = [each for each in self.events if each.id.int == 0]
        self.events = [*filter(None, map(self._event, self._touched.values())), *noted]
        return self.events

    def write_audit(self) -> None:
        """Add the audit events of all that was done."""
        for each in self.events:
            if each.id.int:
                self.session.add(
                    AuditEvent(
                        at=self.now,
                        kind=each.kind,
                        object_id=each.id,
                        object_name=each.name,
                        before=each.before,
                        after=each.after,
                        **self._by,
                    )
                )
        self.session.add_all(self._notes)
        self.session.flush()

    def _touch(self, entity: Entity) -> _Touched:
        if entity.id not in self._touched:
            self._touched[entity.id] = _Touched(entity, created=False)
        return self._touched[entity.id]

    def _record(self, session: Session, *_context: object) -> None:
        for entity in session.dirty:
            if isinstance(entity, Entity):
                state = inspect(entity)
                for name in state.mapper.column_attrs.keys():
                    history = state.attrs[name].history
                    if history.has_changes():
                        old = history.deleted[0] if history.deleted else None
                        self._touch(entity).before.setdefault(name, old)

    def _changed(self, touched: _Touched) -> dict[str, Any]:
        now = {name: getattr(touched.entity, name) for name in touched.before}
        return {name: old for name, old in touched.before.items() if now[name] != old}

    def _changed_secrets(self, touched: _Touched) -> set[str]:
        if touched.secrets_before is None:
            return set()
        now = self.secrets(touched.entity)
        return {
            name
            for name in now.keys() | touched.secrets_before.keys()
            if now.get(name) != touched.secrets_before.get(name)
        }

    def _seen_otherwise(self, touched: _Touched) -> bool:
        """True when a client would see a difference."""
        kind = type(touched.entity)
        columns = inspect(kind).columns
        return any(
            shapes_entries(columns[name]) for name in self._changed(touched) if name not in _UNTOLD
        ) or any(Audience.CLIENT in secret_audiences(kind, name) for name in self._changed_secrets(touched))

    def _servers_seen_otherwise(self) -> list[Server]:
        """Raise versions and recompute tags, and return all servers that need a check."""
        servers: dict[UUID, Server] = {}
        raised: dict[UUID, Server] = {}
        for touched in list(self._touched.values()):
            match touched.entity:
                case Server() as server:
                    concerned: Iterable[Server] = (server,)
                case Host() as host if not touched.created:
                    concerned = self.all(Server, Server.host_id == host.id)
                case Provider() as provider if not touched.created:
                    hosts = select(Host.id).where(Host.provider_id == provider.id)
                    concerned = self.all(Server, Server.host_id.in_(hosts))
                case _:
                    continue
            seen_otherwise = self._seen_otherwise(touched)
            for server in concerned:
                servers[server.id] = server
                if seen_otherwise and not self._touch(server).created and Status(server.status).alive:
                    raised[server.id] = server
        self.load_secrets([*servers.values(), *(server.host for server in servers.values())])
        for server in raised.values():
            before = self._touch(server).before
            # Once in a change, however often it is settled.
            old = before.setdefault("configuration_version", server.configuration_version)
            server.configuration_version = old + 1
        for server in servers.values():
            secret = self.secrets(server).get("web_secret")
            if secret and server.address:
                server.tag = derived_tag({"webServerSecret": secret, "ipAddress": server.address})
        return list(servers.values())

    def _write_secrets(self) -> None:
        for touched in self._touched.values():
            if not self._changed_secrets(touched):
                continue
            owner_id, secrets = touched.entity.id, self.secrets(touched.entity)
            self._raise_revision(touched)
            row = self.session.get(SealedSecrets, owner_id)
            if not secrets:
                if row is not None:
                    self.session.delete(row)
                continue
            sealed = self.vault.seal(owner_id.bytes, msgspec.json.encode(secrets, order="sorted"), self.rng)
            if row is None:
                self.session.add(SealedSecrets(owner_id=owner_id, sealed=sealed))
            else:
                row.sealed = sealed

    def _raise_revision(self, touched: _Touched) -> None:
        """Have an entity be another one to whoever has seen it, though only secrets of it have changed."""
        if touched.created or touched.revised:
            return
        touched.revised = True
        kind = type(touched.entity)
        raised = update(kind).where(kind.id == touched.entity.id).values(revision=kind.revision + 1)
        self.session.execute(raised, execution_options={"synchronize_session": False})
        self.session.refresh(touched.entity, ["revision"])

    def _check(self, servers: list[Server]) -> None:
        versions = [
            touched.entity
            for touched in self._touched.values()
            if touched.created and isinstance(touched.entity, ClientVersion)
        ]
        if found := list(problems(self, servers, versions)):
            raise Invalid("; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else ""))

    def _event(self, touched: _Touched) -> ChangeEvent | None:
        entity = touched.entity
        done = ChangeEvent(type(entity).__tablename__, entity.id, name_of(entity), touched.created)
        if touched.created:
            done.after = {
                name: _plain(value)
                for name in entity.__table__.columns.keys()
                if name not in _UNTOLD
                and (value := getattr(entity, name)) not in (None, "", 0, [], {}, False)
            }
        else:
            changed = {name: old for name, old in self._changed(touched).items() if name not in _UNTOLD}
            done.before = {name: _plain(old) for name, old in changed.items()}
            done.after = {name: _plain(getattr(entity, name)) for name in changed}
        if names := self._changed_secrets(touched):
            done.before["secrets"] = self._fingerprints(touched.secrets_before or {}, names)
            done.after["secrets"] = self._fingerprints(self.secrets(entity), names)
        version = touched.before.get("configuration_version")
        if version is not None and isinstance(entity, Server) and version != entity.configuration_version:
            done.before["configuration_version"] = version
            done.after["configuration_version"] = entity.configuration_version
        return done if done.created or done.after or done.before else None

    def _fingerprints(self, secrets: Mapping[str, str], names: set[str]) -> dict[str, str]:
        return {name: self.vault.fingerprint(secrets[name]) for name in sorted(names) if name in secrets}


def name_of(entity: Entity) -> str:
    """Return what people call an entity."""
    return next((str(getattr(entity, name)) for name in _NAMES if getattr(entity, name, "")), str(entity.id))


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case bytes():
            return f"{len(value)} bytes"
    return value
