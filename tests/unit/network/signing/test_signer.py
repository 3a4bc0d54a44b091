import json

import pytest
from tests.osl_configs import CHANNEL, HOUR, osl_config, scheme
from tests.package_keys import KEY

from headrace.base.errors import DocumentError
from headrace.base.rng import SYSTEM_RNG
from headrace.crypto.rsa_signing import PackageSigningKey
from headrace.documents.entry_signature import sign_entry, verify_entry
from headrace.documents.osl.paver import PaveFile, pave
from headrace.documents.signed_package import make_package, read_package
from headrace.network.signing.making import make_key
from headrace.network.signing.signer import (
    EntrySigner,
    LocalEntrySigner,
    LocalPackageSigner,
    NeedsOfflineSignature,
    OfflineEntrySigner,
    OfflinePackageSigner,
    PackageSigner,
    Unsigned,
    as_entry_key,
    as_package_key,
    public_verifies,
)

ENTRY_KEY = make_key("entry-signing", SYSTEM_RNG)
FIELDS: dict[str, object] = {"ipAddress": "192.0.2.1", "sshPort": 22}


def offline_entries(signatures: dict[str, bytes] | None = None) -> OfflineEntrySigner:
    return OfflineEntrySigner("entry-signing", ENTRY_KEY.public, signatures or {})


def offline_lists(signatures: dict[str, bytes] | None = None) -> OfflinePackageSigner:
    return OfflinePackageSigner("list-signing", KEY.public.to_text(), signatures or {})


def test_a_local_signer_signs_entries_that_clients_accept() -> None:
    signer: EntrySigner = LocalEntrySigner(ENTRY_KEY.private)
    verify_entry(sign_entry(FIELDS, as_entry_key(signer)), signer.public)
    assert signer.key_id == ENTRY_KEY.key_id


def test_a_local_signer_signs_packages_that_clients_accept() -> None:
    signer: PackageSigner = LocalPackageSigner(KEY.to_text())
    package = make_package("entries", as_package_key(signer))
    assert read_package(package, KEY.public) == "entries"
    assert package == make_package("entries", KEY)


def test_local_signers_do_not_show_their_keys() -> None:
    entries, lists = LocalEntrySigner(ENTRY_KEY.private), LocalPackageSigner(KEY.to_text())
    assert repr(entries) == f"LocalEntrySigner(key_id={ENTRY_KEY.key_id})"
    assert repr(lists) == f"LocalPackageSigner(key_id={lists.key_id})"


def test_text_that_is_no_key_makes_no_signer() -> None:
    with pytest.raises(DocumentError):
        LocalEntrySigner("AAAA")
    with pytest.raises(DocumentError):
        LocalPackageSigner("AAAA")
    with pytest.raises(DocumentError):
        OfflineEntrySigner("entry-signing", "AAAA", {})


def test_an_offline_signer_asks_for_the_signature_it_does_not_have() -> None:
    signer = offline_lists()
    with pytest.raises(NeedsOfflineSignature, match="has to sign one object") as caught:
        make_package("entries", as_package_key(signer))
    assert [item.data for item in caught.value.wanted] == [b"entries"]
    assert (caught.value.purpose, caught.value.key_id) == ("list-signing", signer.key_id)


def test_an_offline_signer_uses_a_signature_that_was_imported() -> None:
    signatures = {Unsigned("", b"entries").sha256: KEY.sign(b"entries")}
    package = make_package("entries", as_package_key(offline_lists(signatures)))
    assert read_package(package, KEY.public) == "entries"


def test_offline_entries_are_signed_with_what_was_imported() -> None:
    signer = offline_entries()
    with signer.naming("entry of Oak"), pytest.raises(NeedsOfflineSignature) as caught:
        sign_entry(FIELDS, as_entry_key(signer))
    (wanted,) = caught.value.wanted
    assert wanted.name.startswith("entry of Oak ")
    assert json.loads(wanted.data) == FIELDS
    signature = LocalEntrySigner(ENTRY_KEY.private).sign(wanted.data)
    again: EntrySigner = offline_entries({wanted.sha256: signature})
    verify_entry(sign_entry(FIELDS, as_entry_key(again)), again.public)


def test_collecting_asks_for_everything_at_once() -> None:
    signer = offline_lists({Unsigned("", b"known").sha256: b"signature"})
    with pytest.raises(NeedsOfflineSignature, match="has to sign 2 objects") as caught, signer.collecting():
        assert signer.sign(b"known") == b"signature"
        with signer.naming("list"):
            signer.sign(b"first")
        signer.sign(b"second")
        signer.sign(b"first")
    assert [item.data for item in caught.value.wanted] == [b"first", b"second"]
    assert [item.name.split()[0] for item in caught.value.wanted] == ["list", "object"]


def test_collecting_raises_each_time_that_blanks_were_given_out() -> None:
    signer = offline_lists()
    for _ in range(2):
        with pytest.raises(NeedsOfflineSignature), signer.collecting():
            signer.sign(b"the same")


def test_collecting_what_is_signed_already_raises_nothing() -> None:
    signer = offline_lists({Unsigned("", b"known").sha256: b"signature"})
    with signer.collecting():
        signer.sign(b"known")
    assert signer.wanted == ()


def test_another_error_is_not_hidden_by_what_was_collected() -> None:
    signer = offline_lists()
    with pytest.raises(KeyError), signer.collecting():
        signer.sign(b"first")
        raise KeyError
    with pytest.raises(NeedsOfflineSignature):
        signer.sign(b"second")


def test_blanks_verify_nowhere() -> None:
    for signer in (offline_entries(), offline_lists()):
        with pytest.raises(NeedsOfflineSignature), signer.collecting():
            assert not signer.public.verify(b"data", signer.sign(b"data"))


def test_names_are_those_of_the_innermost_block() -> None:
    signer = offline_lists()
    with pytest.raises(NeedsOfflineSignature), signer.collecting(), signer.naming("outer"):
        with signer.naming("inner"):
            signer.sign(b"1")
        signer.sign(b"2")
    assert [item.name.split()[0] for item in signer.wanted] == ["inner", "outer"]


def test_an_offline_signer_shows_its_key_and_how_much_it_wants() -> None:
    signer = offline_entries()
    with pytest.raises(NeedsOfflineSignature):
        signer.sign(b"data")
    assert repr(signer) == f"OfflineEntrySigner(key_id={ENTRY_KEY.key_id}, wanted=1)"


@pytest.mark.parametrize(("omit_md5", "journeys"), [((0,), 1), ((), 2)])
def test_obfuscated_lists_are_paved_with_a_key_that_is_elsewhere(
    omit_md5: tuple[int, ...], journeys: int
) -> None:
    config = osl_config(scheme())
    start = config.schemes[0].start

    def paved(key: PackageSigningKey) -> list[PaveFile]:
        return list(pave(config, CHANNEL, start, start + 9 * HOUR, {}, key, omit_md5=omit_md5))

    signatures: dict[str, bytes] = {}
    for _ in range(journeys):
        signer = offline_lists(signatures)
        with pytest.raises(NeedsOfflineSignature) as caught, signer.collecting():
            paved(as_package_key(signer))
        signatures |= {item.sha256: KEY.sign(item.data) for item in caught.value.wanted}
    assert paved(as_package_key(offline_lists(signatures))) == paved(KEY)


def test_a_signature_is_verified_by_the_public_text_of_its_purpose() -> None:
    entry_signature = LocalEntrySigner(ENTRY_KEY.private).sign(b"data")
    assert public_verifies("entry-signing", ENTRY_KEY.public, b"data", entry_signature)
    assert not public_verifies("entry-signing", ENTRY_KEY.public, b"other", entry_signature)
    assert public_verifies("list-signing", KEY.public.to_text(), b"data", KEY.sign(b"data"))
    assert not public_verifies("list-signing", KEY.public.to_text(), b"data", entry_signature)
