"""What a bundle must have, and what must not be in it; and how two of them differ."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from headrace.base.errors import DocumentError
from headrace.crypto.rsa_signing import PackageVerifyingKey
from headrace.crypto.signing import VerifyingKey
from headrace.documents.client_config import read_client_config
from headrace.documents.entry_fields import configuration_version, decode_fields, entry_tag
from headrace.documents.entry_signature import verify_entry
from headrace.documents.json_canonical import encode_canonical
from headrace.documents.server_entry import ServerEntry
from headrace.documents.transfer_urls import TransferURLs

__all__ = ["bundle_facts", "differences", "encode_bundle", "verify_bundle"]

_PRIVATE: Final = re.compile(rb"PRIVATE KEY|PrivateKey|MasterKey|HMACKey")
_LOCAL: Final = ("DataRootDirectory", "UpstreamProxyURL", "LocalProxyPassword", "AdditionalParameters")


def encode_bundle(configuration: Mapping[str, Any]) -> bytes:
    """Return the one way to write a bundle."""
    return encode_canonical(dict(configuration)) + b"\n"


def verify_bundle(data: bytes) -> None:
    """Insist that a bundle is one with which a client can start. Raises DocumentError.

    It has a server at least, all of whose entries are signed with its own key; its keys are keys and its URLs
    are URLs; and nothing private is in it.
    """
    config = read_client_config(data, "the bundle")
    if _PRIVATE.search(data):
        raise DocumentError("the bundle holds something private: it must not be given to anybody")
    fields = json.loads(data)
    if local := [name for name in _LOCAL if fields.get(name)]:
        raise DocumentError(f"the bundle sets {local[0]}, which is a matter of each machine")
    lines = config.embedded_server_entry_list
    lines = lines.split() if isinstance(lines, str) else lines
    if not lines:
        raise DocumentError("the bundle has no server")
    key = _entry_key(config.server_entry_signature_public_key)
    for number, line in enumerate(lines):
        try:
            entry = ServerEntry.decode(line)
            if key is not None:
                verify_entry(entry.fields, key)
        except DocumentError as error:
            raise DocumentError(f"server {number + 1} of the bundle: {error}") from error
    for name in ("RemoteServerListURLs", "ObfuscatedServerListRootURLs"):
        if fields.get(name):
            TransferURLs.from_fields(fields[name], name)
            if not config.remote_server_list_signature_public_key:
                raise DocumentError(f"the bundle has {name} and no key to know what is there by")
    if config.remote_server_list_signature_public_key:
        PackageVerifyingKey.from_text(config.remote_server_list_signature_public_key)


def bundle_facts(data: bytes) -> dict[str, Any]:
    """Return what is worth keeping of a bundle: which it was, and whose entries went out with it."""
    fields = json.loads(data)
    entries = [decode_fields(line) for line in fields.get("EmbeddedServerEntryList", [])]
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "channel": fields.get("PropagationChannelId", ""),
        "sponsor": fields.get("SponsorId", ""),
        "list_key": fields.get("RemoteServerListSignaturePublicKey", "")[-16:],
        "entry_key": fields.get("ServerEntrySignaturePublicKey", ""),
        "servers": len(entries),
        "tags": sorted(entry_tag(entry) for entry in entries),
    }


def differences(old: bytes, new: bytes) -> Iterator[str]:
    """Yield how two bundles differ, a line for each field and each server."""
    before, after = json.loads(old), json.loads(new)
    for name in sorted(before.keys() | after.keys()):
        if name == "EmbeddedServerEntryList":
            yield from _servers(before.get(name, []), after.get(name, []))
        elif before.get(name) != after.get(name):
            verb = "is new" if name not in before else "is gone" if name not in after else "is another"
            yield f"{name} {verb}"


def _servers(old: list[str], new: list[str]) -> Iterator[str]:
    before = {entry_tag(fields): fields for fields in map(decode_fields, old)}
    after = {entry_tag(fields): fields for fields in map(decode_fields, new)}
    for tag in sorted(before.keys() | after.keys()):
        if tag not in before:
            yield f"server {tag} is new"
        elif tag not in after:
            yield f"server {tag} is gone"
        elif before[tag] != after[tag]:
            versions = configuration_version(before[tag]), configuration_version(after[tag])
            yield f"server {tag}: version {versions[0]} → {versions[1]}"


def _entry_key(text: str) -> VerifyingKey | None:
    return VerifyingKey.from_text(text) if text else None
