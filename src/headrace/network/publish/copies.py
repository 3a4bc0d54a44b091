"""How often lists are published, and what signs them: the keys of the network turned into copies.

Clients of different times know different keys, of lists as of entries, and each copy is for those of one time
(`signing.rotation`).
"""

from collections.abc import Callable, Sequence

from headrace.network.book import View
from headrace.network.custody import entry_signer_of, package_signer_of
from headrace.network.model import NetworkKey
from headrace.network.publish.sources.material import ListCopy, Renderer
from headrace.network.signing.kinds import Purpose
from headrace.network.signing.rotation import active_keys, copies, ring
from headrace.network.signing.signer import EntrySigner

__all__ = ["list_copies"]


def list_copies(view: View, renderer: Callable[[EntrySigner | None], Renderer]) -> Sequence[ListCopy]:
    """Return all copies, the one with the usual names first; `renderer` makes entries signed by a signer.

    In a network without a key for entries these are not signed. Raises OperatorError without one for lists.
    """
    keys = view.all(NetworkKey)
    lists, entries = ring(keys, Purpose.LISTS), ring(keys, Purpose.ENTRIES)
    if not entries:
        unsigned = renderer(None)
        return [
            ListCopy(copy.folder, package_signer_of(view, copy.keys[0]), unsigned) for copy in copies(lists)
        ]
    packages = {key.key_id: package_signer_of(view, key) for key in active_keys(lists)}
    signers = {key.key_id: entry_signer_of(view, key) for key in active_keys(entries)}
    renderers = {key_id: renderer(signer) for key_id, signer in signers.items()}
    return [
        ListCopy(
            copy.folder,
            packages[list_key.key_id],
            renderers[entry_key.key_id],
            signers[entry_key.key_id],
        )
        for copy in copies(lists, entries)
        for list_key, entry_key in [copy.keys]
    ]
