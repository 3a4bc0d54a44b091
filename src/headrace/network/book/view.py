"""A view: the network as it is at one moment, secrets included, for as long as it is open."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from headrace.base.errors import OperatorError
from headrace.network.model import (
    Campaign,
    Entity,
    Host,
    NetworkKey,
    NetworkSettings,
    PropagationChannel,
    Provider,
    SealedSecrets,
    Server,
    Sponsor,
)
from headrace.network.vault import Vault

__all__ = ["NotKnown", "View"]

E = TypeVar("E", bound=Entity)

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_PUBLIC_ID = re.compile(r"[0-9A-Fa-f]{16}")


class NotKnown(OperatorError):
    """Nothing is called like that."""


class View:
    """What can be asked of the network. `now` is an aware UTC time and stays what it was."""

    def __init__(self, session: Session, vault: Vault, time: float) -> None:
        self.session = session
        self.vault = vault
        self.now = datetime.fromtimestamp(time, UTC)
        self._secrets: dict[UUID, Mapping[str, str]] = {}
        self._at_hand: list[Sequence[Entity]] = []

    @property
    def settings(self) -> NetworkSettings:
        """The one row of settings."""
        return self.session.scalars(select(NetworkSettings)).one()

    def all(self, kind: type[E], *where: ColumnElement[bool]) -> Sequence[E]:
        """Return all entities of a kind for which the conditions hold, in an order that stays."""
        return self.session.scalars(select(kind).where(*where).order_by(kind.id)).all()

    def servers(self, *where: ColumnElement[bool]) -> Sequence[Server]:
        """Return servers with their hosts, channels and providers at hand, without a query for each."""
        # The session knows things for only as long as somebody holds them.
        self._at_hand = [self.all(kind) for kind in (Provider, Host, PropagationChannel)]
        return self.all(Server, *where)

    def channel(self, name: str) -> PropagationChannel:
        """Return the channel with this name or public id. Raises NotKnown."""
        return self._named(PropagationChannel, name)

    def sponsor(self, name: str) -> Sponsor:
        """Return the sponsor with this name or public id. Raises NotKnown."""
        return self._named(Sponsor, name)

    def provider(self, name: str) -> Provider:
        """Return the provider with this name. Raises NotKnown."""
        return self._one(Provider, Provider.name, name)

    def host(self, name: str) -> Host:
        """Return the host with this name. Raises NotKnown."""
        return self._one(Host, Host.name, name)

    def server(self, name: str) -> Server:
        """Return the server with this pseudonym (spaces or hyphens), tag, or address, if one alone has it.

        Of those with an address, one that is not gone is preferred. Raises NotKnown.
        """
        for where in (Server.tag == name, Server.address == name):
            found = self.session.scalars(select(Server).where(where)).all()
            alive = [server for server in found if server.removed_at is None]
            if len(alive or found) == 1:
                return (alive or found)[0]
        return self._one(Server, Server.pseudonym, name.replace("-", " ").lower())

    def campaign(self, name: str) -> Campaign:
        """Return the campaign in this bucket. Raises NotKnown."""
        return self._one(Campaign, Campaign.bucket_id, name)

    def keys(self, purpose: str, name: str | None = None) -> Sequence[NetworkKey]:
        """Return the active keys of a purpose, the oldest first."""
        where = [NetworkKey.purpose == purpose, NetworkKey.retired_at.is_(None)]
        if name is not None:
            where.append(NetworkKey.name == name)
        order = (NetworkKey.created_at, NetworkKey.key_id)
        return self.session.scalars(select(NetworkKey).where(*where).order_by(*order)).all()

    def secrets(self, owner: Entity) -> Mapping[str, str]:
        """Return the secrets of an entity, name -> text; the mapping is not to be changed."""
        if owner.id not in self._secrets:
            row = self.session.get(SealedSecrets, owner.id)
            self._secrets[owner.id] = _NONE if row is None else self._opened(row.owner_id, row.sealed)
        return self._secrets[owner.id]

    def load_secrets(self, owners: Iterable[Entity]) -> None:
        """Read the secrets of many at once; asking for each is quick thereafter."""
        wanted = {owner.id for owner in owners} - self._secrets.keys()
        if not wanted:
            return
        columns = select(SealedSecrets.owner_id, SealedSecrets.sealed)
        if len(wanted) <= 500:
            columns = columns.where(SealedSecrets.owner_id.in_(wanted))
        for owner_id, sealed in self.session.execute(columns):
            if owner_id in wanted:
                self._secrets[owner_id] = self._opened(owner_id, sealed)
        for owner_id in wanted - self._secrets.keys():
            self._secrets[owner_id] = _NONE

    def _opened(self, owner_id: UUID, sealed: bytes) -> Mapping[str, str]:
        text = self.vault.unseal(owner_id.bytes, sealed)
        return MappingProxyType(msgspec.json.decode(text, type=dict[str, str]))

    def _named(self, kind: type[E], name: str) -> E:
        if _PUBLIC_ID.fullmatch(name):
            column: Any = kind.public_id  # type: ignore[attr-defined]
            found = self.session.scalars(select(kind).where(column == name.upper())).one_or_none()
            if found is not None:
                return found
        return self._one(kind, kind.name, name)  # type: ignore[attr-defined]

    def _one(self, kind: type[E], column: Any, name: str) -> E:
        found = self.session.scalars(select(kind).where(column == name)).one_or_none()
        if found is None:
            word = kind.__name__ if kind is not PropagationChannel else "channel"
            raise NotKnown(_not_known(word.lower(), name, self.session.scalars(select(column)).all()))
        return found


def _not_known(word: str, name: str, names: Sequence[str]) -> str:
    if not names:
        return f"there is no {word} {name!r}, and no other; add one first"
    near = difflib.get_close_matches(name, names, n=3) or sorted(names)[:5]
    return f"there is no {word} {name!r}; did you mean {', '.join(near)}?"
