"""The files of each host: what its servers are configured with, their keys, their own entries."""

from collections.abc import Iterator
from functools import partial

from headrace.network.model import Audience, Host
from headrace.network.publish.contents import Content, Key, Parts, fingerprint
from headrace.network.publish.kinds import Kind
from headrace.network.publish.places import host_place
from headrace.network.publish.sources.material import Material
from headrace.network.publish.stores.stored import StoredObject

__all__ = ["contents"]


def contents(material: Material) -> Iterator[Content]:
    """Yield the content of each host that is alive."""
    common = {
        "settings for servers": material.version_for(Audience.HOST, material.settings),
        "keys on servers": material.keys_on_servers,
    }
    entries = material.rendering.entries
    for host in material.hosts:
        servers = material.by_host.get(host.id, ())
        parts = common | {
            "host": f"{host.status} {material.version_for(Audience.HOST, host)}",
            "secrets": material.secrets_version((host, *servers)),
        }
        for server in servers:
            seen = material.version_for(Audience.HOST, server)
            version = fingerprint(seen, entries.version(server), server.channel.public_id)
            parts[f"server {server.pseudonym}"] = f"{server.status} {version}"
        identity = Key(Kind.HOST, host.name, host_place(host.name))
        yield Content(identity, Parts(parts), partial(_render, material, host))


def _render(material: Material, host: Host) -> Iterator[StoredObject]:
    for name, data in material.rendering.host_files(host).items():
        yield StoredObject(name, data)
