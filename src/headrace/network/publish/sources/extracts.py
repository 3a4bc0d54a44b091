"""Extracts: what the departments of an operator are given of the network (operations spec §1.9)."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from sqlalchemy import inspect

from headrace.network.model import (
    Audience,
    Campaign,
    Entity,
    Host,
    NetworkSettings,
    PropagationChannel,
    Provider,
    Server,
    Sponsor,
    audiences,
)
from headrace.network.publish.contents import Content, Key, Parts
from headrace.network.publish.kinds import Kind
from headrace.network.publish.places import EXPORTS
from headrace.network.publish.sources.material import Material
from headrace.network.publish.stores.stored import StoredObject

__all__ = ["KINDS", "contents"]

#: Whom the extract of each kind is for.
KINDS: Final = {
    Kind.STATISTICS: Audience.STATISTICS,
    Kind.DEVOPS: Audience.DEVOPS,
    Kind.FEEDBACK: Audience.FEEDBACK,
    Kind.MAIL: Audience.MAIL,
}

_TABLES: Final[dict[str, type[Entity]]] = {
    "hosts": Host,
    "servers": Server,
    "providers": Provider,
    "channels": PropagationChannel,
    "sponsors": Sponsor,
    "campaigns": Campaign,
    "settings": NetworkSettings,
}
#: Extracts with credentials of hosts.
_WITH_SECRETS: Final = (Kind.STATISTICS, Kind.DEVOPS)


def contents(material: Material) -> Iterator[Content]:
    """Yield the extracts."""
    for kind, audience in KINDS.items():
        parts = {
            name: material.table_version(table, audience)
            for name, table in _TABLES.items()
            if any(audience in audiences(column) for column in inspect(table).columns)
        }
        if kind in _WITH_SECRETS:
            parts["secrets of hosts"] = material.secrets_version(material.hosts)
        yield Content(Key(kind, str(kind), EXPORTS), Parts(parts), partial(_render, material, kind))


def _render(material: Material, kind: Kind) -> Iterator[StoredObject]:
    for name, data in material.rendering.extract(kind).items():
        yield StoredObject(f"{kind}/{name}", data)
