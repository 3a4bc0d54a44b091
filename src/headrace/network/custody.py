"""The network's own keys as its book has them: added, retired, and turned into signers.

The private half of a key is its secret `private`, or `shared` where every server has it. While one key takes
over from another, two of a purpose are active (`signing.rotation`).
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from headrace.base.errors import OperatorError
from headrace.network.book import Change, View
from headrace.network.model import ImportedSignature, NetworkKey
from headrace.network.signing.kinds import OnServers, Purpose, kind_of
from headrace.network.signing.making import KeyPair
from headrace.network.signing.rotation import check_room
from headrace.network.signing.signer import (
    EntrySigner,
    LocalEntrySigner,
    LocalPackageSigner,
    OfflineEntrySigner,
    OfflinePackageSigner,
    PackageSigner,
)

__all__ = [
    "add_key",
    "entry_signer",
    "entry_signer_of",
    "import_signatures",
    "package_signer_of",
    "package_signers",
    "private_half",
    "retire_key",
]


def add_key(change: Change, pair: KeyPair, *, offline: bool = False) -> NetworkKey:
    """Add a key; of one that is `offline`, the public half only. Raises OperatorError."""
    kind = kind_of(pair.purpose)
    if change.all(NetworkKey, NetworkKey.purpose == pair.purpose, NetworkKey.key_id == pair.key_id):
        raise OperatorError(f"the key {pair.key_id} is here already, or has been: a key is used once")
    check_room(pair.purpose, pair.name, change.keys(pair.purpose, pair.name))
    if offline and not kind.may_be_offline:
        raise OperatorError(f"the key for {kind.title} is needed here: it cannot be offline")
    key = change.add(
        NetworkKey(
            purpose=pair.purpose,
            name=pair.name,
            public=pair.public,
            key_id=pair.key_id,
            offline=offline,
            created_at=change.now,
        )
    )
    if pair.private and not offline:
        change.set_secrets(key, {_secret(pair.purpose): pair.private})
    change.session.flush()
    return key


def retire_key(change: Change, key: NetworkKey) -> None:
    """Have a key not be used any more; its private half is forgotten."""
    key.retired_at = change.now
    change.strip_secrets(key)


def private_half(view: View, key: NetworkKey) -> str:
    """Return the private half. Raises OperatorError where it is not here."""
    text = view.secrets(key).get(_secret(key.purpose))
    if text is None:
        raise OperatorError(f"the private half of the {key.purpose} key {key.key_id} is not here")
    return text


def entry_signer(view: View) -> EntrySigner | None:
    """Return what signs the entries that servers hand out.

    None in a network without such a key, and while there are two: no signature would please all clients.
    """
    active = view.keys(Purpose.ENTRIES)
    return entry_signer_of(view, active[0]) if len(active) == 1 else None


def entry_signer_of(view: View, key: NetworkKey) -> EntrySigner:
    """Return what signs entries with this key, here or elsewhere."""
    if key.offline:
        return OfflineEntrySigner(key.purpose, key.public, _signatures(view, key))
    return LocalEntrySigner(private_half(view, key))


def package_signer_of(view: View, key: NetworkKey) -> PackageSigner:
    """Return what signs packages with this key, here or elsewhere."""
    if key.offline:
        return OfflinePackageSigner(key.purpose, key.public, _signatures(view, key))
    return LocalPackageSigner(private_half(view, key))


def package_signers(view: View, purpose: str) -> Sequence[PackageSigner]:
    """Return what signs packages of a purpose, a signer for each active key, the oldest first."""
    return [package_signer_of(view, key) for key in view.keys(purpose)]


def import_signatures(change: Change, key_id: str, signatures: Mapping[str, bytes]) -> int:
    """Keep signatures, by the SHA-256 of what they sign, that have been verified; return how many are new."""
    known = set(
        change.session.scalars(select(ImportedSignature.sha256).where(ImportedSignature.key_id == key_id))
    )
    new = {sha256: signature for sha256, signature in signatures.items() if sha256 not in known}
    change.session.add_all(
        ImportedSignature(key_id=key_id, sha256=sha256, signature=signature, imported_at=change.now)
        for sha256, signature in new.items()
    )
    if new:
        change.record("signatures", key_id, {"imported": len(new)})
    return len(new)


def _secret(purpose: str) -> str:
    return "shared" if kind_of(purpose).on_servers is OnServers.SECRET else "private"


def _signatures(view: View, key: NetworkKey) -> Mapping[str, bytes]:
    rows = view.session.execute(
        select(ImportedSignature.sha256, ImportedSignature.signature).where(
            ImportedSignature.key_id == key.key_id
        )
    )
    return dict(iter(rows))
