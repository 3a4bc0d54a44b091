"""The paver: makes registry and lists for storage, from the configuration and the entries (spec §4.4–4.5).

Keys and shares are derived, so the same configuration and range always give the same registry, but for the
sums of the files, which depend on how they were compressed.
"""

import hashlib
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from headrace.crypto.key_stream import KeyStream
from headrace.crypto.secret_box import seal_box
from headrace.documents.osl.config import OslConfig, Scheme
from headrace.documents.osl.key_shares import divide
from headrace.documents.osl.registry import FileSpec, encode_registry
from headrace.documents.osl.sloks import Slok, derive_slok, expand, le64
from headrace.documents.osl.urls import REGISTRY_NAME, file_name
from headrace.documents.signed_package import make_package

if TYPE_CHECKING:
    from headrace.crypto.rsa_signing import PackageSigningKey

__all__ = ["PaveFile", "current_osl_id", "file_spec", "osl_id", "pave"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaveFile:
    """A file to publish. Of the registry only name and contents mean anything."""

    name: str
    contents: bytes
    scheme: int = -1  #: its place in the configuration
    osl_id: bytes = b""
    start: int = 0  #: when what it covers begins, nanoseconds since 1970
    duration: int = 0  #: nanoseconds
    entries: int = 0  #: how many are in it


def pave(
    config: OslConfig,
    channel: str,
    start: int | None,
    end: int,
    entries: Mapping[str, Sequence[str]],
    key: "PackageSigningKey",
    *,
    omit_md5: Collection[int] = (),
    omit_empty: Collection[int] = (),
) -> Iterator[PaveFile]:
    """Yield the files of a propagation channel, one for each list that begins within start and end, then
    the registry.

    Times are nanoseconds since 1970; without a start every list since the epochs is made. `entries` maps the
    hexadecimal ID of a list to encoded entries. For the schemes in `omit_md5` the registry gets no sums, for
    those in `omit_empty` lists without entries are left out.
    """
    items: list[FileSpec] = []
    for index, scheme in enumerate(config.schemes):
        if channel not in scheme.propagation_channel_ids:
            continue
        for time in _starts(scheme, start, end):
            identity = osl_id(scheme, channel, time)
            lines = sorted(entries.get(identity.hex(), ()))
            if not lines and index in omit_empty:
                continue
            file_key, spec = file_spec(scheme, channel, time)
            contents = seal_box(file_key, make_package("\n".join(lines), key))
            if index not in omit_md5:
                md5 = hashlib.md5(contents, usedforsecurity=False).digest()
                spec = msgspec.structs.replace(spec, md5_sum=md5)
            items.append(spec)
            yield PaveFile(
                name=file_name(identity),
                contents=contents,
                scheme=index,
                osl_id=identity,
                start=time,
                duration=scheme.duration,
                entries=len(lines),
            )
    yield PaveFile(name=REGISTRY_NAME, contents=make_package(encode_registry(items), key))


def file_spec(scheme: Scheme, channel: str, start: int) -> tuple[bytes, FileSpec]:
    """Return the key of the list that begins at `start`, and what the registry says of it, without a sum."""
    identity = osl_id(scheme, channel, start)
    splits = [(level.total, level.threshold) for level in scheme.seed_period_key_splits]
    # What depends on the splits is derived from them too: other splits must not share a secret with these.
    structure = b"".join(
        le64(total) + le64(threshold)
        for total, threshold in [(len(scheme.seed_specs), scheme.seed_spec_threshold), *splits]
    )
    file_key = expand(scheme.master_key, structure, b"osl-file-key", identity)
    seed = expand(scheme.master_key, structure, b"osl-file-split-key-material-seed", identity)
    periods = _sloks_by_period(scheme, channel, start)
    shares = divide(file_key, splits, periods, scheme.seed_spec_threshold, KeyStream(seed))
    return file_key, FileSpec(id=identity, key_shares=shares)


def osl_id(scheme: Scheme, channel: str, start: int) -> bytes:
    """Return the ID of the list that begins at `start`: that of its first SLOK."""
    return derive_slok(scheme.master_key, channel, scheme.seed_specs[0].id, start).id


def current_osl_id(scheme: Scheme, channel: str, now: int) -> bytes:
    """Return the ID of the list whose time it is at `now`, nanoseconds since 1970; at first, of the first."""
    elapsed = max(0, now - scheme.start)
    return osl_id(scheme, channel, scheme.start + elapsed // scheme.duration * scheme.duration)


def _starts(scheme: Scheme, start: int | None, end: int) -> range:
    """Return when the lists of a range begin."""
    first = scheme.start
    if start is not None and start > first:
        first -= (first - start) // scheme.duration * scheme.duration
    return range(first, end + 1, scheme.duration)


def _sloks_by_period(scheme: Scheme, channel: str, start: int) -> Iterator[list[Slok]]:
    """Return the SLOKs of one period after the other, without an end."""
    return (
        [derive_slok(scheme.master_key, channel, spec.id, time) for spec in scheme.seed_specs]
        for time in itertools.count(start, scheme.seed_period_nanoseconds)
    )
