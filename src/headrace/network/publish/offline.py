"""What has to be signed elsewhere before a publication, asked for in as few journeys as there can be.

Entries are signed before the lists that hold them: so it takes two journeys at most, one with each key.
"""

from collections.abc import Iterable, Sequence

from headrace.base.errors import HeadraceError
from headrace.network.book import View
from headrace.network.model import Server
from headrace.network.publish.kinds import Kind
from headrace.network.publish.publishing import plan_for
from headrace.network.publish.sources import SOURCES, Source
from headrace.network.publish.sources.material import ListCopy, Material, Renderer, Rendering
from headrace.network.signing.signer import NeedsOfflineSignature, OfflineEntrySigner, OfflinePackageSigner

__all__ = ["signatures_needed"]


def signatures_needed(
    view: View, rendering: Rendering, sources: Sequence[Source] = SOURCES
) -> list[NeedsOfflineSignature]:
    """Return what keys that are not here have to sign now, one for each key; none: it can be published.

    The rendering is spoilt by it: what it makes afterwards has blanks in it. Raises OperatorError.
    """
    copies = rendering.copies()
    return _entries_needed(copies, Material(view, rendering).servers) or _packages_needed(
        copies, view, rendering, sources
    )


def _entries_needed(copies: Iterable[ListCopy], servers: Sequence[Server]) -> list[NeedsOfflineSignature]:
    found: dict[str, NeedsOfflineSignature] = {}
    for copy in copies:
        signer = copy.entry_signer
        if isinstance(signer, OfflineEntrySigner) and signer.key_id not in found:
            try:
                with signer.collecting():
                    _encode(copy.entries, servers)
            except NeedsOfflineSignature as needs:
                found[signer.key_id] = needs
    return list(found.values())


def _encode(entries: Renderer, servers: Iterable[Server]) -> None:
    for server in servers:
        try:
            entries.encoded(server)
        except HeadraceError:
            continue  # it has no entry yet: an address is missing, say


def _packages_needed(
    copies: Iterable[ListCopy], view: View, rendering: Rendering, sources: Sequence[Source]
) -> list[NeedsOfflineSignature]:
    offline = {
        copy.packages.key_id: copy.packages
        for copy in copies
        if isinstance(copy.packages, OfflinePackageSigner)
    }
    if not offline:
        return []
    for item in plan_for(view, rendering, sources).only((Kind.LIST, Kind.OSL)):
        if item.content is not None:
            try:
                for _ in item.content.render():
                    pass
            except NeedsOfflineSignature:
                continue  # the signer has it on its list
    return [
        NeedsOfflineSignature(signer.purpose, key_id, signer.wanted)
        for key_id, signer in offline.items()
        if signer.wanted
    ]
