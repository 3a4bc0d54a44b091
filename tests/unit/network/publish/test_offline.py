"""Publications of a network whose keys are elsewhere."""

import io
from collections.abc import Sequence

from tests.package_keys import KEY
from tests.unit.network.publish.rig import Entries, PlainRendering, Rig

from headrace.crypto.signing import SigningKey
from headrace.documents.server_entry import ServerEntry
from headrace.documents.signed_package import open_package
from headrace.network.custody import add_key, import_signatures
from headrace.network.model import Server
from headrace.network.publish.copies import list_copies
from headrace.network.publish.kinds import Kind
from headrace.network.publish.offline import signatures_needed
from headrace.network.publish.publishing import publish
from headrace.network.publish.sources.material import ListCopy
from headrace.network.signing.kinds import Purpose
from headrace.network.signing.making import adopt_key
from headrace.network.signing.signer import EntrySigner, NeedsOfflineSignature

ENTRY_KEY = SigningKey(bytes(range(32)))


class Signed(Entries):
    """Entries with the signature in their region."""

    def __init__(self, signer: EntrySigner | None) -> None:
        assert signer is not None
        self.signer = signer

    def encoded(self, server: Server) -> str:
        line = super().encoded(server)
        fields = ServerEntry.decode(line).fields
        return ServerEntry.from_fields(fields | {"region": self.signer.sign(line.encode()).hex()}).encode()


class OfflineRendering(PlainRendering):
    def copies(self) -> Sequence[ListCopy]:
        return list_copies(self._view, Signed)


def needed(rig: Rig) -> list[NeedsOfflineSignature]:
    with rig.book.view() as view:
        return signatures_needed(view, OfflineRendering(view))


def answer(rig: Rig, needs: NeedsOfflineSignature) -> None:
    sign = ENTRY_KEY.sign if needs.purpose == Purpose.ENTRIES else KEY.sign
    with rig.book.change("ann", "import") as change:
        import_signatures(
            change, needs.key_id, {unsigned.sha256: sign(unsigned.data) for unsigned in needs.wanted}
        )


def test_two_journeys_are_enough_for_all_there_is_to_sign(rig: Rig) -> None:
    with rig.book.change("ann", "keys") as change:
        add_key(change, adopt_key(Purpose.LISTS, KEY.to_text()), offline=True)
        add_key(change, adopt_key(Purpose.ENTRIES, ENTRY_KEY.to_text()), offline=True)

    (entries,) = needed(rig)
    assert (entries.purpose, len(entries.wanted)) == (Purpose.ENTRIES, 4)
    outcome = publish(rig.book, OfflineRendering, rig.places, workers=1)
    assert {failure.id.kind for failure in outcome.failed} == {Kind.LIST, Kind.OSL}
    answer(rig, entries)

    (packages,) = needed(rig)
    assert (packages.purpose, len(packages.wanted)) == (
        Purpose.LISTS,
        2 + 1 + 2,
    )  # lists, one OSL, registries
    answer(rig, packages)

    assert needed(rig) == []
    assert publish(rig.book, OfflineRendering, rig.places, workers=1).complete
    data = rig.store.objects["web/mail-1/server_list_compressed"]
    assert len(list(open_package(io.BytesIO(data), KEY.public).lines())) == 2
    assert needed(rig) == []


def test_nothing_is_asked_for_where_keys_are_here(rig: Rig) -> None:
    with rig.book.change("ann", "keys") as change:
        add_key(change, adopt_key(Purpose.LISTS, KEY.to_text()))
        add_key(change, adopt_key(Purpose.ENTRIES, ENTRY_KEY.to_text()))
    assert needed(rig) == []
