"""The network as sources look at it: read once for all of them, with versions that are cheap to compare.

The version of a row for an audience is a digest of the columns which that audience may see: a change of any
other publishes nothing. Secrets have the version of their sealed form: it is another whenever they are set.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from operator import attrgetter
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import inspect, select

from headrace.documents.osl.config import OslConfig
from headrace.network.book import View
from headrace.network.model import (
    LOCAL,
    Audience,
    Campaign,
    Entity,
    Host,
    NetworkKey,
    NetworkSettings,
    PropagationChannel,
    SealedSecrets,
    Server,
    Status,
    audiences,
)
from headrace.network.publish.contents import count_and_fingerprint, fingerprint
from headrace.network.publish.kinds import Kind
from headrace.network.signing.kinds import KINDS, OnServers, Purpose
from headrace.network.signing.signer import EntrySigner, PackageSigner
from headrace.network.strategy.subset import Lists

__all__ = ["ListCopy", "Material", "Renderer", "Rendering"]

_LIFE: Final = ("status", "removed_at")
_LOST: Final = (Status.REMOVING, Status.GONE)


class Renderer(Protocol):
    """Makes server entries, signed with one key."""

    def encoded(self, server: Server) -> str:
        """Return the entry as one line."""
        ...

    def version(self, server: Server) -> str:
        """Return what is another whenever the entry is."""
        ...


@dataclass(frozen=True, slots=True)
class ListCopy:
    """For clients of one time: where their lists lie below a bucket, and what signs these."""

    folder: str  #: "": the usual names
    packages: PackageSigner
    entries: Renderer
    entry_signer: EntrySigner | None = None  #: what signs the entries; None: they are not signed

    @property
    def key_ids(self) -> str:
        """The ids of the keys that sign."""
        return " ".join(signer.key_id for signer in (self.packages, self.entry_signer) if signer)


class Rendering(Protocol):
    """What is made of the network, at last: it takes time, and is asked for only what is published."""

    @property
    def entries(self) -> Renderer:
        """What makes the entries that servers hand out."""
        ...

    def copies(self) -> Sequence[ListCopy]:
        """Return how often lists are published, the usual names first. Raises OperatorError."""
        ...

    def osl_config(self) -> OslConfig:
        """Return the schemes with their master keys. Raises DocumentError, OperatorError."""
        ...

    def host_files(self, host: Host) -> Mapping[str, bytes]:
        """Return the files of a host by name."""
        ...

    def psinet(self, pool: int) -> bytes:
        """Return the psinet data for the hosts of a pool."""
        ...

    def extract(self, kind: Kind) -> Mapping[str, bytes]:
        """Return the files of an extract by name."""
        ...


class Material:
    """A view, and what several sources need of it."""

    def __init__(self, view: View, rendering: Rendering) -> None:
        self.view = view
        self.rendering = rendering
        self.now: datetime = view.now

    @cached_property
    def settings(self) -> NetworkSettings:
        """The network's settings."""
        return self.view.settings

    @cached_property
    def servers(self) -> Sequence[Server]:
        """All servers that are alive."""
        return self.view.servers(Server.status.not_in(_LOST))

    @cached_property
    def hosts(self) -> Sequence[Host]:
        """All hosts that can have files: those that are alive, and that there is a way to."""
        hosts = self.view.all(Host, Host.status.not_in(_LOST))
        return [host for host in hosts if host.status != Status.NEW or host.deployment == LOCAL]

    @cached_property
    def lost_hosts(self) -> Sequence[str]:
        """The names of hosts that are gone, with all that was on them. This machine never is."""
        gone = select(Host.name).where(Host.status == Status.GONE, Host.deployment != LOCAL)
        return self.view.session.scalars(gone).all()

    @cached_property
    def by_host(self) -> Mapping[UUID, Sequence[Server]]:
        """The servers that are alive, by host."""
        found: dict[UUID, list[Server]] = {}
        for server in self.servers:
            found.setdefault(server.host_id, []).append(server)
        return found

    @cached_property
    def copies(self) -> Sequence[ListCopy]:
        """How often lists are published: the same signers for all. Raises OperatorError."""
        return self.rendering.copies()

    @cached_property
    def lists(self) -> Lists:
        """Which servers are in bundles and lists."""
        sample_key = self.view.secrets(self.settings).get("sample_key", "")
        return Lists(self.servers, bytes.fromhex(sample_key))

    @cached_property
    def campaigns(self) -> Sequence[Campaign]:
        """All campaigns, those of one channel after another."""
        self._channels = self.view.all(PropagationChannel)  # at hand, without a query for each
        return sorted(self.view.all(Campaign), key=lambda campaign: campaign.channel.public_id)

    @cached_property
    def keys(self) -> Sequence[NetworkKey]:
        """The keys that are not retired."""
        return self.view.all(NetworkKey, NetworkKey.retired_at.is_(None))

    @cached_property
    def keys_on_servers(self) -> str:
        """The version of all keys that servers have, and of those that sign what servers hand out."""
        there = [kind.purpose for kind in KINDS.values() if kind.on_servers is not OnServers.NOTHING]
        return self.keys_of(*there)

    def keys_of(self, *purposes: Purpose) -> str:
        """Return the version of the keys there are for some purposes."""
        ids = [(key.purpose, key.name, key.key_id) for key in self.keys if key.purpose in purposes]
        return count_and_fingerprint(sorted(ids))

    @cached_property
    def secret_versions(self) -> Mapping[UUID, str]:
        """The versions of secrets, by their owner's id."""
        rows = self.view.session.execute(select(SealedSecrets.owner_id, SealedSecrets.sealed))
        return {owner: f"#{hashlib.sha256(sealed).hexdigest()[:16]}" for owner, sealed in rows}

    def table_version(self, kind: type[Entity], audience: Audience) -> str:
        """Return the version of all that an audience may see of a table, with the number of rows.

        What a row belongs to, and whether it is alive, is counted in: it decides what is shown of others.
        """
        columns = [
            column
            for column in inspect(kind).columns
            if audience in audiences(column) or column.foreign_keys or column.name in _LIFE
        ]
        rows = self.view.session.execute(select(kind.id, *columns).order_by(kind.id)).all()
        return count_and_fingerprint([tuple(row) for row in rows])

    @staticmethod
    def version_for(audience: Audience, *entities: Entity) -> str:
        """Return the version of what an audience may see of these."""
        return fingerprint(*(_columns_seen(type(entity), audience)(entity) for entity in entities))

    def secrets_version(self, owners: Iterable[Entity]) -> str:
        """Return the version of the secrets of these."""
        return fingerprint(*(self.secret_versions.get(owner.id, "") for owner in owners))


@cache
def _columns_seen(kind: type[Entity], audience: Audience) -> Callable[[Entity], Any]:
    mapper = inspect(kind)
    names = [
        attribute.key
        for attribute in mapper.column_attrs
        if audience in audiences(mapper.columns[attribute.key])
    ]
    return attrgetter("id", *names)
