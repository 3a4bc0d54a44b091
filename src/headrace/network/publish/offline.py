"""What has to be signed elsewhere before a publication, asked for in as few journeys as there can be.

Entries are signed before the lists that hold them: so it takes two journeys at most, one with each key.
"""

from collections.abc import Iterable, Sequence

from headrace.base.errors import HeadraceError
from headrace.network.book import View
from headrace.network.model import Server
from headrace.network.publish.kinds import Kind
from headrace.network.publish.ledger import read_ledger
from headrace.network.publish.publishing import plan_of
from headrace.network.publish.sources import SOURCES, Source
from headrace.network.publish.sources.material import Material, Renderer, Rendering
from headrace.network.signing.signer import NeedsOfflineSignature, OfflineEntrySigner, OfflinePackageSigner

__all__ = ["signatures_needed"]


def signatures_needed(
    view: View, rendering: Rendering, sources: Sequence[Source] = SOURCES
) -> list[NeedsOfflineSignature]:
    """Return what keys that are not here have to sign now, one for each key; none: it can be published.

    The rendering is spoilt by it: what it makes afterwards has blanks in it. Raises OperatorError.
    """
    material = Material(view, rendering)
    return _entries_needed(material) or _packages_needed(material, sources)


def _entries_needed(material: Material) -> list[NeedsOfflineSignature]:
    found: dict[str, NeedsOfflineSignature] = {}
    for copy in material.copies:
        signer = copy.entry_signer
        if isinstance(signer, OfflineEntrySigner) and signer.key_id not in found:
            try:
                with signer.collecting():
                    _encode(copy.entries, material.servers)
            except NeedsOfflineSignature as needs:
                found[signer.key_id] = needs
    return list(found.values())


def _encode(entries: Renderer, servers: Iterable[Server]) -> None:
    for server in servers:
        try:
            entries.encoded(server)
        except HeadraceError:
            continue  # it has no entry yet: an address is missing, say


def _packages_needed(material: Material, sources: Sequence[Source]) -> list[NeedsOfflineSignature]:
    offline = {
        copy.packages.key_id: copy.packages
        for copy in material.copies
        if isinstance(copy.packages, OfflinePackageSigner)
    }
    if not offline:
        return []
    for item in plan_of(material, read_ledger(material.view), sources).only((Kind.LIST, Kind.OSL)):
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
