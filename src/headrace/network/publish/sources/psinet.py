"""Psinet data: what all servers of a pool are given of the network, the same for each (operations spec §1.9).

Servers stop to believe a file that is two days old, so it is written again every day whether or not anything
has changed. What it is made of is kept with each host, so its parts tell counts only.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from sqlalchemy import select

from headrace.discovery.extract import pool_of
from headrace.documents.server_files import PSINET_FILE
from headrace.network.model import Audience, ClientVersion, Sponsor
from headrace.network.publish.contents import (
    DAY,
    Content,
    Key,
    Parts,
    count_and_fingerprint,
    day,
    fingerprint,
)
from headrace.network.publish.kinds import CLIENT_VERSIONS, Kind
from headrace.network.publish.places import host_place
from headrace.network.publish.sources.material import Material
from headrace.network.publish.stores.stored import StoredObject
from headrace.network.signing.kinds import Purpose
from headrace.network.strategy.subset import discovery_servers

__all__ = ["contents"]


def contents(material: Material) -> Iterator[Content]:
    """Yield the psinet data for each host."""
    pools = material.settings.discovery_pools
    common = _common_parts(material)
    parts = [Parts(common | _discovery_parts(material, pool)) for pool in range(pools)]
    files = _Files(material)
    for host in material.hosts:
        pool = pool_of(host.name, pools) if pools > 1 else 0
        identity = Key(Kind.PSINET, host.name, host_place(host.name))
        yield Content(identity, parts[pool], partial(files.render, pool))


def _common_parts(material: Material) -> dict[str, str]:
    session, settings = material.view.session, material.settings
    sponsors = [
        (material.version_for(Audience.PSINET, sponsor), sponsor.use_data_from_id)
        for sponsor in material.view.all(Sponsor)
    ]
    versions = session.execute(
        select(ClientVersion.platform, ClientVersion.version).order_by(
            ClientVersion.platform, ClientVersion.version
        )
    ).all()
    parts = {
        DAY: day(material.now),
        "settings": fingerprint(material.version_for(Audience.PSINET, settings), settings.default_sponsor_id),
        "sponsors": count_and_fingerprint(sponsors),
        "keys of entries": material.keys_of(Purpose.ENTRIES),
        "servers": count_and_fingerprint(sorted(server.tag for server in material.servers)),
    }
    if versions:
        parts[CLIENT_VERSIONS] = count_and_fingerprint([tuple(row) for row in versions])
    return parts


def _discovery_parts(material: Material, pool: int) -> dict[str, str]:
    settings, entries = material.settings, material.rendering.entries
    horizon = timedelta(hours=settings.discovery_horizon_hours)
    told = [
        (server.tag, entries.version(server), server.discovery_start, server.discovery_end)
        for server in discovery_servers(material.servers, material.now, horizon)
        if settings.discovery_pools == 1 or pool_of(server.address, settings.discovery_pools) == pool
    ]
    return {"discovery servers": count_and_fingerprint(told), "pool": str(pool)}


class _Files:
    """The files of all pools, each made once: hosts share them."""

    def __init__(self, material: Material) -> None:
        self._material = material
        self._made: dict[int, StoredObject] = {}

    def render(self, pool: int) -> Iterator[StoredObject]:
        """Yield the file for the hosts of a pool."""
        if pool not in self._made:
            self._made[pool] = StoredObject(PSINET_FILE, self._material.rendering.psinet(pool))
        yield self._made[pool]
