"""Remote server lists: one for each channel, the same in all buckets of its campaigns (lists spec §3.1).

    <bucket>/server_list                 a signed package
    <bucket>/server_list_compressed      the same, compressed: what clients fetch

While keys take over from one another there are copies in folders, signed with the later keys. All lists are
read back as clients read them before they are published.
"""

import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from headrace.base.errors import DocumentError, HeadraceError
from headrace.documents.server_list import stream_list
from headrace.documents.signed_package import make_package, open_package, read_package
from headrace.network.model import Campaign, PropagationChannel, Server
from headrace.network.publish.contents import Content, Key, Parts, unmakeable
from headrace.network.publish.kinds import Kind
from headrace.network.publish.places import STORE
from headrace.network.publish.sources.material import ListCopy, Material
from headrace.network.publish.stores.stored import StoredObject
from headrace.network.signing.signer import as_package_key

__all__ = ["COMPRESSED_NAME", "PLAIN_NAME", "buckets", "contents", "copy_parts", "in_bucket", "of_channel"]

PLAIN_NAME: Final = "server_list"
COMPRESSED_NAME: Final = "server_list_compressed"

_READ_AT: Final = "1970-01-01T00:00:00Z"


def contents(material: Material) -> Iterator[Content]:
    """Yield the lists of each bucket."""
    if not material.campaigns:
        return
    try:
        lists = _Lists(material.copies)
    except HeadraceError as error:
        for bucket in buckets(material.campaigns):
            yield unmakeable(Key(Kind.LIST, bucket, STORE), error)
        return
    common = copy_parts(lists.copies)
    versions = {server.id: server_version(material, server) for server in material.servers}
    for channel, campaigns in of_channel(material.campaigns):
        servers = material.lists.listed(channel, material.settings.list_sample)
        parts = Parts(common | {f"server {server.pseudonym}": versions[server.id] for server in servers})
        for bucket in buckets(campaigns):
            yield Content(
                Key(Kind.LIST, bucket, STORE), parts, partial(lists.render, bucket, channel, servers)
            )


def server_version(material: Material, server: Server) -> str:
    """Return the version of a server's entry, with a number for people."""
    return f"version {server.configuration_version} #{material.rendering.entries.version(server)}"


def copy_parts(copies: Sequence[ListCopy]) -> dict[str, str]:
    """Return the parts that tell which keys sign."""
    return {f"keys, {copy.folder or 'usual names'}": copy.key_ids for copy in copies}


def of_channel(campaigns: Sequence[Campaign]) -> Iterator[tuple[PropagationChannel, list[Campaign]]]:
    """Yield each channel that has campaigns, with these."""
    found: dict[str, tuple[PropagationChannel, list[Campaign]]] = {}
    for campaign in campaigns:
        found.setdefault(campaign.channel.public_id, (campaign.channel, []))[1].append(campaign)
    yield from found.values()


def buckets(campaigns: Sequence[Campaign]) -> list[str]:
    """Return the buckets of campaigns, alternate ones too, each once."""
    named = (each for campaign in campaigns for each in (campaign.bucket_id, campaign.alternate_bucket_id))
    return [*dict.fromkeys(bucket for bucket in named if bucket)]


def in_bucket(bucket: str, copy: ListCopy, name: str) -> str:
    """Return the whole name of an object of a copy."""
    return "/".join(filter(None, (bucket, copy.folder, name)))


class _Lists:
    """The lists of the channel that was asked for last: all its buckets have the same."""

    def __init__(self, copies: Sequence[ListCopy]) -> None:
        self.copies = copies
        self._channel = ""
        self._made: list[tuple[ListCopy, str, bytes]] = []

    def render(
        self, bucket: str, channel: PropagationChannel, servers: Sequence[Server]
    ) -> Iterator[StoredObject]:
        """Yield the objects of a bucket."""
        if self._channel != channel.public_id:
            self._channel = ""
            self._made = [each for copy in self.copies for each in _make(copy, servers)]
            self._channel = channel.public_id
        for copy, name, data in self._made:
            yield StoredObject(in_bucket(bucket, copy, name), data)


def _make(copy: ListCopy, servers: Sequence[Server]) -> Iterator[tuple[ListCopy, str, bytes]]:
    text = "\n".join(copy.entries.encoded(server) for server in servers)
    key = as_package_key(copy.packages)
    plain, compressed = make_package(text, key, compress=False), make_package(text, key)
    if read_package(plain, copy.packages.public, compressed=False) != text:
        raise DocumentError("a server list does not read back as what it was made from")
    lines = open_package(io.BytesIO(compressed), copy.packages.public).lines()
    readable = sum(1 for _ in stream_list(lines, "REMOTE", _READ_AT))
    if readable != len(servers):
        raise DocumentError(f"of {len(servers)} entries in a server list, clients would take {readable} only")
    yield copy, PLAIN_NAME, plain
    yield copy, COMPRESSED_NAME, compressed
