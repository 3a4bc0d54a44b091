"""Stores and hosts by URL, as an operator names them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast, get_args
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from headrace.base.errors import OperatorError
from headrace.network.publish.stores.directory import DirectoryStore
from headrace.network.publish.stores.hosts import HostTransport, LocalHosts
from headrace.network.publish.stores.s3 import Addressing, S3Store
from headrace.network.publish.stores.store import Store
from headrace.network.publish.stores.stored import check_prefix

__all__ = ["open_hosts", "open_store"]

_FILE_FORM: Final = "file:///path"
_S3_FORM: Final = "s3://bucket/prefix?endpoint=https://storage.example.org&region=us-east-1&addressing=path"
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
_REGION: Final = re.compile(r"[A-Za-z0-9-]{0,64}")
_OPTIONS: Final = ("endpoint", "region", "addressing")


def open_store(url: str, access_key: str = "", secret_key: str = "") -> Store:
    """Return the store that a URL names. Keys are for storage services. Raises OperatorError."""
    split = _split(url, f"{_FILE_FORM}, or {_S3_FORM}")
    if split.scheme == "file":
        return DirectoryStore(_path(split))
    if split.scheme == "s3":
        return _s3(split, access_key, secret_key)
    raise OperatorError(
        f"there are no stores with URLs that begin with {_scheme(split)!r}: use {_FILE_FORM}, or {_S3_FORM}"
    )


def open_hosts(url: str, reload: Callable[[str], None] | None = None) -> HostTransport:
    """Return the way to the hosts that a URL names; `reload` is for local ones. Raises OperatorError."""
    split = _split(url, _FILE_FORM)
    if split.scheme == "file":
        return LocalHosts(_path(split), reload)
    raise OperatorError(
        f"there is no way to hosts with URLs that begin with {_scheme(split)!r}: use {_FILE_FORM}"
    )


def _split(url: str, forms: str) -> SplitResult:
    try:
        split = urlsplit(url)
        named = split.username is not None
    except ValueError as error:
        raise OperatorError(f"what should be a URL is none: use {forms}") from error
    if named or not url.isprintable():
        # Nothing of it is repeated: it may be a secret.
        raise OperatorError(f"the URL has an '@' before its path, or unprintable characters: use {forms}")
    return split


def _scheme(split: SplitResult) -> str:
    return f"{split.scheme}:" if split.scheme else "no scheme"


def _path(split: SplitResult) -> Path:
    path = unquote(split.path)
    if split.netloc not in ("", "localhost") or split.query or split.fragment or not path.startswith("/"):
        raise OperatorError(
            f'the URL of a directory is {_FILE_FORM}, with "?" and "#" in the path as %3F and %23'
        )
    if not path.isprintable() or ".." in path.split("/") or not path.strip("/"):
        raise OperatorError(
            f'the URL of a directory is {_FILE_FORM}: name one below the root, without ".." and unprintable '
            f"characters"
        )
    return Path(path)


def _s3(split: SplitResult, access_key: str, secret_key: str) -> S3Store:
    if not _BUCKET.fullmatch(split.netloc):
        raise OperatorError(f"the URL of a storage service names no bucket, or a bad one: use {_S3_FORM}")
    prefix = unquote(split.path).strip("/")
    options = parse_qsl(split.query, keep_blank_values=True)
    given = dict(options)
    if split.fragment or len(given) < len(options) or not given.keys() <= set(_OPTIONS):
        raise OperatorError(
            f"after the path, the URL of a storage service has each of {', '.join(_OPTIONS)} at most once, "
            f"and nothing else: use {_S3_FORM}"
        )
    try:
        check_prefix(prefix)
    except ValueError as error:
        raise OperatorError(f"the prefix in the URL of a storage service is bad: {error}") from error
    if not _REGION.fullmatch(given.get("region", "")):
        raise OperatorError(f"the URL of a storage service has a bad region: use {_S3_FORM}")
    return S3Store(
        split.netloc,
        prefix,
        endpoint_url=_endpoint(given.get("endpoint", "")),
        region=given.get("region", ""),
        access_key=access_key,
        secret_key=secret_key,
        addressing=_addressing(given.get("addressing", "path")),
    )


def _addressing(text: str) -> Addressing:
    for addressing in get_args(Addressing):
        if text == addressing:
            return cast(Addressing, addressing)
    raise OperatorError('the addressing of a storage service is "path" or "virtual"; correct its URL')


def _endpoint(text: str) -> str:
    try:
        split = urlsplit(text)
        good = split.scheme in ("http", "https") and bool(split.hostname) and split.port != 0
    except ValueError:
        good = False
    if text and (not good or "@" in split.netloc or split.query or split.fragment):
        raise OperatorError(
            "the endpoint of a storage service is http:// or https://, a host name and maybe a port, without "
            "a user name; correct it in the store's URL"
        )
    return text
