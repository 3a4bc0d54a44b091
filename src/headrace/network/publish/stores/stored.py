"""An object to be published: its bytes, and what the store has to say about them to whoever fetches it."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Final

__all__ = ["DIGEST_KEY", "DRAFT_PREFIX", "StoredObject", "check_name", "check_prefix"]

#: The metadata key under which a store keeps an object's SHA-256.
DIGEST_KEY: Final = "sha256"
#: What parts of names may not begin with: stores call their unfinished files so.
DRAFT_PREFIX: Final = ".draft"

_MAX_NAME: Final = 1024  # bytes, as of S3
_MAX_PART: Final = 255  # bytes, as of the usual file systems
_MAX_METADATA: Final = 2048  # bytes of keys and values, as of S3
_MAX_CACHE_SECONDS: Final = 366 * 24 * 3600
_CONTENT_TYPE: Final = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+(; ?[a-z0-9-]+=[a-zA-Z0-9.+-]+)*")
_KEY: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")


@dataclass(frozen=True)
class StoredObject:
    """An object with its name below the store's root. Raises ValueError for what no store could keep.

    `metadata` is for those who fetch it from a storage service, as the version of an upgrade is: keys in
    lower case, as header names are. A directory keeps only the bytes.
    """

    name: str
    data: bytes = field(repr=False)
    content_type: str = "application/octet-stream"
    cache_seconds: int = 0  #: for how long it may be shown without asking again; 0 is not at all
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name)
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))
        if not _CONTENT_TYPE.fullmatch(self.content_type):
            raise ValueError(f"{self.name}: {self.content_type!r} is no content type")
        if not 0 <= self.cache_seconds <= _MAX_CACHE_SECONDS:
            raise ValueError(f"{self.name}: it may be cached for 0 seconds to a year")
        for key, value in self.metadata.items():
            if not _KEY.fullmatch(key) or key == DIGEST_KEY:
                raise ValueError(f"{self.name}: {key!r} cannot be a key of its metadata")
            if not _VALUE.fullmatch(value):
                raise ValueError(f"{self.name}: the metadata {key} must be printable ASCII text")
        if sum(len(key) + len(value) for key, value in self.metadata.items()) > _MAX_METADATA:
            raise ValueError(f"{self.name}: its metadata is longer than {_MAX_METADATA} bytes")

    @cached_property
    def sha256(self) -> str:
        """The digest of the bytes, in hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()


def check_name(name: str) -> str:
    """Return a name that every store can keep: printable parts with "/" between them. Raises ValueError."""
    if not name.isprintable() or "\\" in name:
        raise ValueError(f"the name {name!r} has characters that are not printable, or a backslash")
    if len(name.encode()) > _MAX_NAME:
        raise ValueError(f"the name {name[:40]!r}... is longer than {_MAX_NAME} bytes")
    for part in name.split("/"):
        if part in ("", ".", ".."):
            raise ValueError(f'the name {name!r} is not relative, or has an empty part, "." or ".."')
        if part.startswith(DRAFT_PREFIX):
            raise ValueError(
                f"the name {name!r} has a part that begins with {DRAFT_PREFIX}: stores need those"
            )
        if len(part.encode()) > _MAX_PART:
            raise ValueError(f"the name {name[:40]!r}... has a part longer than {_MAX_PART} bytes")
    return name


def check_prefix(prefix: str) -> str:
    """Return what names may begin with: nothing, a name, or one and a slash. Raises ValueError."""
    if prefix:
        check_name(prefix.removesuffix("/"))
    return prefix
