"""Obfuscated server lists: paved for each channel, the same in all buckets of its campaigns (spec §4.5).

    <bucket>/osl/osl-<id>        a list, for each that has servers
    <bucket>/osl/osl-registry    which lists there are, and what opens them

Every bucket has a registry, one without lists if its channel is in no scheme: clients expect it. It is put
after the lists that it names, and what it names no more is deleted after it. Lists go back 120 days, and
ahead for as long as one of each scheme lasts.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from headrace.base.errors import DocumentError, HeadraceError
from headrace.documents.osl.config import OslConfig, Scheme
from headrace.documents.osl.paver import PaveFile, osl_id, pave
from headrace.documents.osl.registry import read_registry
from headrace.documents.signed_package import open_package
from headrace.network.model import PropagationChannel, Server
from headrace.network.publish.contents import (
    Content,
    Key,
    Parts,
    count_and_fingerprint,
    fingerprint,
    unmakeable,
)
from headrace.network.publish.kinds import Kind
from headrace.network.publish.places import STORE
from headrace.network.publish.sources.lists import buckets, copy_parts, in_bucket, of_channel, server_version
from headrace.network.publish.sources.material import ListCopy, Material
from headrace.network.publish.stores.stored import StoredObject
from headrace.network.signing.kinds import Purpose
from headrace.network.signing.signer import OfflinePackageSigner, as_package_key
from headrace.network.strategy.subset import osl_servers

__all__ = ["PAVED_BACK", "contents"]

#: How old the oldest list is that is still published.
PAVED_BACK: Final = timedelta(days=120)

_FOLDER: Final = "osl"
_SECOND: Final = 1_000_000_000


def contents(material: Material) -> Iterator[Content]:
    """Yield the obfuscated lists of each bucket."""
    if not material.campaigns:
        return
    try:
        pavings = _Pavings(material, material.rendering.osl_config(), material.copies)
    except HeadraceError as error:
        for bucket in buckets(material.campaigns):
            yield unmakeable(Key(Kind.OSL, bucket, STORE), error)
        return
    for channel, campaigns in of_channel(material.campaigns):
        lists = pavings.lists_of(channel)
        parts = Parts(pavings.parts(lists))
        for bucket in buckets(campaigns):
            yield Content(Key(Kind.OSL, bucket, STORE), parts, partial(pavings.render, bucket, lists))


@dataclass(frozen=True, slots=True)
class _ChannelLists:
    """What a channel's lists are to hold."""

    channel: str
    numbers: Mapping[int, tuple[int, int]]  #: of the first and the last list, by scheme
    servers: Mapping[Server, Sequence[str]]  #: -> the IDs of the lists it is in


class _Pavings:
    """Paves, and keeps what was paved last: all buckets of a channel have the same."""

    def __init__(self, material: Material, config: OslConfig, copies: Sequence[ListCopy]) -> None:
        self._material, self._config, self._copies = material, config, copies
        self._end = int(material.now.timestamp()) * _SECOND + sum(each.duration for each in config.schemes)
        self._start = int((material.now - PAVED_BACK).timestamp()) * _SECOND
        every_id = {each for server in material.servers for each in server.osl_ids}
        self._open: dict[str, list[Server]] = {}
        for server in osl_servers(every_id, material.servers, material.now):
            for each in server.osl_ids:
                self._open.setdefault(each, []).append(server)
        self._common = copy_parts(copies)
        self._schemes = count_and_fingerprint(material.settings.osl_schemes)
        self._masters = material.keys_of(Purpose.OSL)
        self._paved: tuple[str, list[tuple[ListCopy, PaveFile]]] = ("", [])

    def lists_of(self, channel: PropagationChannel) -> _ChannelLists:
        """Return what is to be paved for a channel."""
        numbers = {}
        servers: dict[Server, list[str]] = {}
        for index, scheme in enumerate(self._config.schemes):
            if channel.public_id in scheme.propagation_channel_ids:
                first, last = numbers[index] = self._numbers(scheme)
                for number in range(first, last + 1):
                    start = scheme.start + number * scheme.duration
                    identity = osl_id(scheme, channel.public_id, start).hex()
                    for server in self._open.get(identity, ()):
                        servers.setdefault(server, []).append(identity)
        return _ChannelLists(channel.public_id, numbers, servers)

    def parts(self, lists: _ChannelLists) -> dict[str, str]:
        """Return what a channel's lists are made from."""
        parts = dict(self._common)
        if lists.numbers:
            parts |= {"schemes": self._schemes, "master keys": self._masters}
        for index, (first, last) in lists.numbers.items():
            parts[f"scheme {index}"] = f"lists {first} to {last}"
        for server, ids in lists.servers.items():
            version = server_version(self._material, server)
            parts[f"server {server.pseudonym}"] = version + fingerprint(ids)
        return parts

    def render(self, bucket: str, lists: _ChannelLists) -> Iterator[StoredObject]:
        """Yield the objects of a bucket, the registry last."""
        if self._paved[0] != lists.channel:
            self._paved = ("", [])
            self._paved = (
                lists.channel,
                [(copy, file) for copy in self._copies for file in self._pave(copy, lists)],
            )
        for copy, file in self._paved[1]:
            yield StoredObject(in_bucket(bucket, copy, f"{_FOLDER}/{file.name}"), file.contents)

    def _pave(self, copy: ListCopy, lists: _ChannelLists) -> list[PaveFile]:
        entries: dict[str, list[str]] = {}
        for server, ids in lists.servers.items():
            for each in ids:
                entries.setdefault(each, []).append(copy.entries.encoded(server))
        every_scheme = range(len(self._config.schemes))
        offline = isinstance(copy.packages, OfflinePackageSigner)
        with _collecting(copy):
            files = list(
                pave(
                    self._config,
                    lists.channel,
                    self._start,
                    self._end,
                    entries,
                    as_package_key(copy.packages),
                    # Sums depend on signatures: the registry would need a journey after the lists'.
                    omit_md5=every_scheme if offline else (),
                    omit_empty=every_scheme,
                )
            )
        *paved, registry = files
        chunks = open_package(io.BytesIO(registry.contents), copy.packages.public).chunks()
        if [spec.id for spec in read_registry(chunks)] != [file.osl_id for file in paved]:
            raise DocumentError("a registry of obfuscated lists does not name the lists that it was made of")
        return files

    def _numbers(self, scheme: Scheme) -> tuple[int, int]:
        oldest = max(0, -((scheme.start - self._start) // scheme.duration))
        return oldest, (self._end - scheme.start) // scheme.duration


def _collecting(copy: ListCopy) -> AbstractContextManager[None]:
    """Have all that is to be signed elsewhere asked for at once."""
    signer = copy.packages
    return signer.collecting() if isinstance(signer, OfflinePackageSigner) else nullcontext()
