"""What a bundle must have, and what must not be in it; and how two of them differ."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from headrace.base.errors import DocumentError
from headrace.crypto.rsa_signing import PackageVerifyingKey
from headrace.crypto.signing import VerifyingKey
from headrace.documents.client_config import ClientConfig, read_client_config
from headrace.documents.config_reader import fold_name, read_object
from headrace.documents.entry_fields import configuration_version, decode_fields, entry_tag
from headrace.documents.entry_signature import verify_entry
from headrace.documents.json_canonical import encode_canonical
from headrace.documents.server_entry import ServerEntry
from headrace.documents.transfer_urls import TransferURLs
from headrace.network.bundles.private_keys import private_key_places
from headrace.network.signing.making import entry_key_id, package_key_id

__all__ = ["bundle_facts", "differences", "encode_bundle", "verify_bundle"]

#: Entries whose signatures are known to be good.
_REMEMBERED: Final = 8192
_ENTRIES: Final = "EmbeddedServerEntryList"
_LIST_KEY: Final = "RemoteServerListSignaturePublicKey"
_ENTRY_KEY: Final = "ServerEntrySignaturePublicKey"
_FEEDBACK_KEY: Final = "FeedbackEncryptionPublicKey"
_FEEDBACK_URLS: Final = "FeedbackUploadURLs"

#: What one person or machine has, and what would hide the rest from whoever looks into a bundle.
_LOCAL: Final = (
    "AdditionalParameters",
    "Authorizations",
    "BindInterface",
    "DataRootDirectory",
    "LocalProxyPassword",
    "LocalProxyUsername",
    "NetworkID",
    "SessionID",
    "TargetServerEntry",
    "TrustedCACertificatesFilename",
    "UpstreamProxyURL",
)
_NAMES: Final = {
    fold_name(name): name
    for name in (
        *(field.encode_name for field in msgspec.structs.fields(ClientConfig) if field.encode_name),
        _FEEDBACK_KEY,
        _FEEDBACK_URLS,
    )
}


def encode_bundle(configuration: Mapping[str, Any]) -> bytes:
    """Return the one way to write a bundle."""
    return encode_canonical(dict(configuration)) + b"\n"


def verify_bundle(data: bytes) -> None:
    """Insist that a bundle is one with which a client can start. Raises DocumentError.

    It has a server at least, all of whose entries are signed with its own key; its keys are keys and its URLs
    are URLs; what comes from these can be told from what others put there; and nothing private is in it.
    """
    config = read_client_config(data, "the bundle")
    fields = read_object(data, "the bundle")
    for name, value in fields.items():
        official = _NAMES.get(fold_name(name), name)
        if name != official:
            raise DocumentError(f"the bundle has {name}: write {official}")
        if value and name in _LOCAL:
            raise DocumentError(f"the bundle sets {name}, which is a matter of each machine")
    _verify_servers(config)
    lists = (
        ("RemoteServerListURLs", config.remote_server_list_urls),
        ("ObfuscatedServerListRootURLs", config.obfuscated_server_list_root_urls),
    )
    for name, urls in lists:
        if urls:
            _verify_urls(urls, name)
    if fields.get(_FEEDBACK_KEY):
        _package_key(fields, _FEEDBACK_KEY)
    if uploads := fields.get(_FEEDBACK_URLS):
        items = _verify_urls(uploads, _FEEDBACK_URLS)
        if not fields.get(_FEEDBACK_KEY) and not all(item.public_key for item in items):
            raise DocumentError(f"the bundle has {_FEEDBACK_URLS} and no key to seal what is sent there")
    for place in private_key_places({name: value for name, value in fields.items() if name != _ENTRIES}):
        raise _private(place)


def bundle_facts(data: bytes) -> dict[str, Any]:
    """Return what is worth keeping of a bundle: which it was, and whose entries went out with it.

    Keys are named by their ids. Raises DocumentError.
    """
    fields = read_object(data, "the bundle")
    tags = sorted(map(entry_tag, _entries(fields)))
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "channel": fields.get("PropagationChannelId", ""),
        "sponsor": fields.get("SponsorId", ""),
        "list_key": package_key_id(_package_key(fields, _LIST_KEY)) if fields.get(_LIST_KEY) else "",
        "entry_key": entry_key_id(_entry_key(fields)) if fields.get(_ENTRY_KEY) else "",
        "servers": len(tags),
        "tags": tags,
    }


def differences(old: bytes, new: bytes) -> Iterator[str]:
    """Yield how two bundles differ, a line for each field and each server. Raises DocumentError."""
    before, after = read_object(old, "the old bundle"), read_object(new, "the new bundle")
    for name in sorted(before.keys() | after.keys()):
        if name == _ENTRIES:
            yield from _changed_servers(_entries(before), _entries(after))
        elif before.get(name) != after.get(name):
            verb = "is new" if name not in before else "is gone" if name not in after else "is another"
            yield f"{name} {verb}"


def _verify_servers(config: ClientConfig) -> None:
    lines = config.embedded_server_entries
    if not lines:
        raise DocumentError("the bundle has no server")
    for number, line in enumerate(lines):
        try:
            places = _verify_entry(line, config.server_entry_signature_public_key)
        except DocumentError as error:
            raise DocumentError(f"server {number + 1} of the bundle: {error}") from error
        if places:
            raise _private(f"{_ENTRIES}[{number}].{places[0]}")


@lru_cache(maxsize=_REMEMBERED)
def _verify_entry(line: str, key: str) -> tuple[str, ...]:
    """Insist on a good entry, and return where in it there are private keys. Raises DocumentError.

    Bundles of a channel have the same entries, and those of others many of them.
    """
    entry = ServerEntry.decode(line)
    if key:
        verify_entry(entry.fields, VerifyingKey.from_text(key))
    return tuple(private_key_places(dict(entry.fields)))


def _private(place: str) -> DocumentError:
    return DocumentError(f"the bundle holds a private key, in {place}: it must not be given to anybody")


def _verify_urls(value: object, name: str) -> TransferURLs:
    urls = TransferURLs.from_fields(value, name)
    for number, item in enumerate(urls):
        try:
            parts = urlsplit(item.url)
            usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            usable = False
        if not (
            usable and parts.scheme in ("https", "http") and item.url.isprintable() and " " not in item.url
        ):
            raise DocumentError(f"{name}[{number}]: {item.url!r} is not a URL that could be fetched")
        if parts.username is not None or parts.password is not None:
            raise DocumentError(f"{name}[{number}]: the URL holds a user name or password")
    return urls


def _entries(fields: Mapping[str, Any]) -> list[dict[str, object]]:
    value = fields.get(_ENTRIES) or []
    lines = value.split() if isinstance(value, str) else value
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise DocumentError(f"{_ENTRIES}: these are no server entries")
    return [decode_fields(line) for line in lines]


def _changed_servers(old: list[dict[str, object]], new: list[dict[str, object]]) -> Iterator[str]:
    before, after = ({entry_tag(fields): fields for fields in entries} for entries in (old, new))
    for tag in sorted(before.keys() | after.keys()):
        if tag not in before:
            yield f"server {tag} is new"
        elif tag not in after:
            yield f"server {tag} is gone"
        elif before[tag] != after[tag]:
            versions = configuration_version(before[tag]), configuration_version(after[tag])
            yield f"server {tag}: version {versions[0]} → {versions[1]}"


def _package_key(fields: Mapping[str, Any], name: str) -> PackageVerifyingKey:
    return PackageVerifyingKey.from_text(_text(fields, name))


def _entry_key(fields: Mapping[str, Any]) -> VerifyingKey:
    return VerifyingKey.from_text(_text(fields, _ENTRY_KEY))


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str):
        raise DocumentError(f"{name}: a key is a text")
    return value
