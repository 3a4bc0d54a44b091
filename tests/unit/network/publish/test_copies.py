"""While one key takes over from another, lists are published for clients of both times."""

import io
from collections.abc import Sequence

import pytest
from tests.package_keys import KEY, new_key
from tests.unit.network.publish.rig import DAY, Entries, PlainRendering, Rig, osl_id

from headrace.base.errors import OperatorError
from headrace.crypto.rsa_signing import PackageSigningKey
from headrace.documents.server_entry import ServerEntry
from headrace.documents.signed_package import open_package
from headrace.network.custody import add_key, retire_key
from headrace.network.model import Server
from headrace.network.publish.copies import list_copies
from headrace.network.publish.kinds import Kind
from headrace.network.publish.publishing import plan_for, publish
from headrace.network.publish.sources.material import ListCopy
from headrace.network.signing.kinds import Purpose
from headrace.network.signing.making import adopt_key, make_key
from headrace.network.signing.signer import EntrySigner


class Named(Entries):
    """Entries that say by whom they were signed, in their region."""

    def __init__(self, signer: EntrySigner | None) -> None:
        self.name = signer.key_id if signer else "nobody"

    def encoded(self, server: Server) -> str:
        fields = ServerEntry.decode(super().encoded(server)).fields
        return ServerEntry.from_fields(fields | {"region": self.name}).encode()


class KeyedRendering(PlainRendering):
    def copies(self) -> Sequence[ListCopy]:
        return list_copies(self._view, Named)


def add_list_key(rig: Rig, key: PackageSigningKey) -> str:
    pair = adopt_key(Purpose.LISTS, key.to_text())
    with rig.book.change("ann", "key") as change:
        add_key(change, pair)
    return pair.key_id


def folders(rig: Rig) -> list[str]:
    names = [name for name in rig.store.objects if name.startswith("web/mail-1/")]
    return sorted({name.split("/")[2] for name in names if name.endswith("/server_list")} - {"server_list"})


def test_a_network_without_keys_publishes_all_but_lists(rig: Rig) -> None:
    outcome = publish(rig.book, KeyedRendering, rig.places, workers=1)
    assert {failure.id.kind for failure in outcome.failed} == {Kind.LIST, Kind.OSL}
    assert outcome.published == 12


def test_with_one_key_there_is_one_copy(rig: Rig) -> None:
    add_list_key(rig, KEY)
    assert publish(rig.book, KeyedRendering, rig.places, workers=1).complete
    assert folders(rig) == []
    data = rig.store.objects["web/mail-1/server_list_compressed"]
    assert open_package(io.BytesIO(data), KEY.public)


def test_a_second_key_signs_a_copy_in_a_folder_of_its_own_until_it_is_alone(rig: Rig) -> None:
    add_list_key(rig, KEY)
    publish(rig.book, KeyedRendering, rig.places, workers=1)
    usual = dict(rig.store.objects)
    rig.clock.now += DAY
    later = new_key()
    add_list_key(rig, later)
    assert publish(rig.book, KeyedRendering, rig.places, workers=1).complete
    (folder,) = folders(rig)
    assert {name: rig.store.objects[name] for name in usual} == usual
    for name in ("server_list_compressed", "osl/osl-registry"):
        assert open_package(io.BytesIO(rig.store.objects[f"web/mail-1/{folder}/{name}"]), later.public)
    assert f"web/mail-1/{folder}/osl/osl-{osl_id()}" in rig.store.objects

    rig.clock.now += DAY
    with rig.book.change("ann", "retire") as change:
        retire_key(change, change.keys(Purpose.LISTS)[0])
    publish(rig.book, KeyedRendering, rig.places, workers=1)
    assert folders(rig) == [folder]
    for name in ("server_list_compressed", f"{folder}/server_list_compressed"):
        assert open_package(io.BytesIO(rig.store.objects[f"web/mail-1/{name}"]), later.public)


def test_entries_of_a_copy_are_signed_with_the_key_of_its_time(rig: Rig) -> None:
    add_list_key(rig, KEY)
    names = []
    for _ in range(2):
        rig.clock.now += DAY
        pair = make_key(Purpose.ENTRIES, rig.book.rng)
        names.append(pair.key_id)
        with rig.book.change("ann", "key") as change:
            add_key(change, pair)
    publish(rig.book, KeyedRendering, rig.places, workers=1)
    (folder,) = folders(rig)
    for name, key_id in (
        ("server_list_compressed", names[0]),
        (f"{folder}/server_list_compressed", names[1]),
    ):
        reader = open_package(io.BytesIO(rig.store.objects[f"web/mail-1/{name}"]), KEY.public)
        assert {ServerEntry.decode(line).fields["region"] for line in reader.lines()} == {key_id}


def test_a_new_key_is_the_reason_in_a_plan(rig: Rig) -> None:
    add_list_key(rig, KEY)
    publish(rig.book, KeyedRendering, rig.places, workers=1)
    rig.clock.now += 1
    key_id = add_list_key(rig, new_key())
    with rig.book.view() as view:
        plan = plan_for(view, KeyedRendering(view))
    assert {item.id.kind for item in plan} == {Kind.LIST, Kind.OSL}
    assert all(
        reason.startswith("keys, ") and reason.endswith(": new") for item in plan for reason in item.reasons
    )
    assert all(key_id in dict(item.content.parts.versions).values() for item in plan if item.content)


def test_without_a_key_for_lists_people_are_told(rig: Rig) -> None:
    with rig.book.view() as view, pytest.raises(OperatorError, match="make a new one"):
        list_copies(view, Named)
