"""What is refused as a bundle, what is kept of one, and how two are compared."""

import base64
import contextlib
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.package_keys import KEY
from tests.unit.network.bundles.made import changed, first_bundle

from headrace.base.errors import DocumentError
from headrace.crypto.signing import SigningKey
from headrace.documents.entry_fields import decode_fields, encode_fields, entry_tag
from headrace.documents.entry_signature import sign_entry
from headrace.network.book import Book
from headrace.network.bundles.checks import bundle_facts, differences, encode_bundle, verify_bundle
from headrace.network.model import Server
from headrace.network.signing.kinds import Purpose

ENTRIES = "EmbeddedServerEntryList"


def url(text: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"URL": base64.b64encode(text.encode()).decode(), **fields}]


def entries(data: bytes) -> list[str]:
    lines: list[str] = json.loads(data)[ENTRIES]
    return lines


def test_a_bundle_as_it_is_made_is_good(bundle_data: bytes) -> None:
    verify_bundle(bundle_data)


def test_there_is_one_way_to_write_a_bundle(bundle_data: bytes) -> None:
    fields = json.loads(bundle_data)
    assert encode_bundle(dict(reversed(fields.items()))) == bundle_data
    assert bundle_data.endswith(b"}\n")


@pytest.mark.parametrize("none", [[], "", None])
def test_a_bundle_without_servers_is_refused(bundle_data: bytes, none: object) -> None:
    with pytest.raises(DocumentError, match="the bundle has no server"):
        verify_bundle(changed(bundle_data, **{ENTRIES: none}))


def test_entries_may_be_lines_of_one_text(bundle_data: bytes) -> None:
    lines = changed(bundle_data, **{ENTRIES: "\n".join(entries(bundle_data))})
    verify_bundle(lines)
    assert bundle_facts(lines)["tags"] == bundle_facts(bundle_data)["tags"]
    assert [*differences(bundle_data, lines)] == []


def test_entries_that_another_key_has_signed_are_refused(bundle_data: bytes) -> None:
    other = SigningKey.generate()
    with pytest.raises(DocumentError, match=r"server 1 of the bundle: .*another key"):
        verify_bundle(changed(bundle_data, ServerEntrySignaturePublicKey=other.public.to_text()))


def test_one_entry_that_is_not_signed_is_refused_among_others(bundle_data: bytes) -> None:
    lines = entries(bundle_data)
    bare = {name: value for name, value in decode_fields(lines[1]).items() if name != "signature"}
    with pytest.raises(DocumentError, match=r"server 2 of the bundle: .*not signed"):
        verify_bundle(changed(bundle_data, **{ENTRIES: [lines[0], encode_fields(bare), *lines[2:]]}))


def test_an_entry_that_is_none_is_refused(bundle_data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"server 1 of the bundle: .*hexadecimal"):
        verify_bundle(changed(bundle_data, **{ENTRIES: ["no entry"]}))


@pytest.mark.parametrize(
    "name",
    ["RemoteServerListSignaturePublicKey", "ServerEntrySignaturePublicKey", "FeedbackEncryptionPublicKey"],
)
@pytest.mark.parametrize("value", ["AAAA", "no key at all"])
def test_a_key_that_is_none_is_refused(bundle_data: bytes, name: str, value: str) -> None:
    with pytest.raises(DocumentError, match="key"):
        verify_bundle(changed(bundle_data, **{name: value}))


@pytest.mark.parametrize("name", ["RemoteServerListURLs", "ObfuscatedServerListRootURLs"])
def test_lists_that_nothing_could_be_told_of_are_refused(bundle_data: bytes, name: str) -> None:
    others = dict.fromkeys(("RemoteServerListURLs", "ObfuscatedServerListRootURLs"))
    without = {**others, name: json.loads(bundle_data)[name], "RemoteServerListSignaturePublicKey": None}
    with pytest.raises(DocumentError, match="add the key that lists are signed with"):
        verify_bundle(changed(bundle_data, **without))


@pytest.mark.parametrize(
    "text",
    [
        "ftp://storage.example/list",
        "storage.example/list",
        "https:///list",
        "https://storage.example:port/list",
        "https://[::1/list",
        "https://storage.example/a list",
        "https://storage.example/\nlist",
        "",
    ],
)
@pytest.mark.parametrize(
    "name", ["RemoteServerListURLs", "ObfuscatedServerListRootURLs", "FeedbackUploadURLs"]
)
def test_a_url_that_could_not_be_fetched_is_refused(bundle_data: bytes, name: str, text: str) -> None:
    with pytest.raises(DocumentError, match=name):
        verify_bundle(changed(bundle_data, **{name: url(text)}))


def test_a_url_that_is_not_in_base64_is_refused(bundle_data: bytes) -> None:
    with pytest.raises(DocumentError, match="RemoteServerListURLs"):
        verify_bundle(changed(bundle_data, RemoteServerListURLs=[{"URL": "https://storage.example/"}]))


def test_a_url_with_a_password_is_refused_and_not_repeated(bundle_data: bytes) -> None:
    with pytest.raises(DocumentError, match="password") as caught:
        verify_bundle(
            changed(bundle_data, RemoteServerListURLs=url("https://user:secret@storage.example/list"))
        )
    assert "secret" not in str(caught.value)


def test_feedback_is_sent_sealed_or_not_at_all(bundle_data: bytes) -> None:
    place = "https://upload.example/"
    with pytest.raises(DocumentError, match="no key to seal what is sent there"):
        verify_bundle(changed(bundle_data, FeedbackUploadURLs=url(place)))
    public = KEY.public.to_text()
    verify_bundle(changed(bundle_data, FeedbackUploadURLs=url(place), FeedbackEncryptionPublicKey=public))
    verify_bundle(changed(bundle_data, FeedbackUploadURLs=url(place, B64EncodedPublicKey=public)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DataRootDirectory", "/somewhere"),
        ("UpstreamProxyURL", "http://proxy.example:8080"),
        ("SessionID", "0" * 32),
        ("NetworkID", "home"),
    ],
)
def test_what_is_a_matter_of_each_machine_is_refused(bundle_data: bytes, name: str, value: str) -> None:
    with pytest.raises(DocumentError, match=f"the bundle sets {name}, which is a matter of each machine"):
        verify_bundle(changed(bundle_data, **{name: value}))


@pytest.mark.parametrize(
    ("name", "official"), [("datarootdirectory", "DataRootDirectory"), ("sponsorID", "SponsorId")]
)
def test_a_name_that_is_spelled_otherwise_is_refused(bundle_data: bytes, name: str, official: str) -> None:
    value = "AAAABBBBCCCCDDDD"
    with pytest.raises(DocumentError, match=f"the bundle has {name}: write {official}"):
        verify_bundle(changed(bundle_data, **{name: value}))


def test_a_private_key_anywhere_is_refused_and_not_repeated(bundle_data: bytes) -> None:
    with pytest.raises(DocumentError, match="private key, in Note") as caught:
        verify_bundle(changed(bundle_data, Note=KEY.to_text()))
    assert KEY.to_text()[:20] not in str(caught.value)


def test_a_private_key_inside_an_entry_is_refused(bundle_data: bytes) -> None:
    key = SigningKey.generate()
    fields = sign_entry({**decode_fields(entries(bundle_data)[0]), "more": [key.to_text()]}, key)
    data = changed(
        bundle_data,
        **{ENTRIES: [encode_fields(fields)], "ServerEntrySignaturePublicKey": key.public.to_text()},
    )
    with pytest.raises(DocumentError, match=r"private key, in EmbeddedServerEntryList\[0\]\.more\[0\]"):
        verify_bundle(data)


def test_fields_that_are_not_known_do_no_harm(bundle_data: bytes) -> None:
    verify_bundle(changed(bundle_data, SomethingOfOtherClients={"a": 1}))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"{", b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_bundle_is_told_to_be_none(data: bytes) -> None:
    with pytest.raises(DocumentError):
        verify_bundle(data)
    if data != b"{}":
        with pytest.raises(DocumentError):
            bundle_facts(data)
        with pytest.raises(DocumentError):
            [*differences(data, data)]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_names = st.sampled_from(
    [
        ENTRIES,
        "RemoteServerListURLs",
        "FeedbackUploadURLs",
        "FeedbackEncryptionPublicKey",
        "RemoteServerListSignaturePublicKey",
        "ServerEntrySignaturePublicKey",
        "PropagationChannelId",
        "sponsorid",
    ]
)


@given(fields=st.dictionaries(_names, _json, max_size=3))
def test_any_values_are_good_or_refused(bundle_data: bytes, fields: dict[str, Any]) -> None:
    data = changed(bundle_data, **fields)
    for check in (verify_bundle, bundle_facts, lambda data: [*differences(bundle_data, data)]):
        with contextlib.suppress(DocumentError):
            check(data)


def test_the_facts_say_which_it_was_and_who_is_in_it(book: Book) -> None:
    data = first_bundle(book)
    with book.view() as view:
        assert bundle_facts(data) == {
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "channel": view.channel("channel-0").public_id,
            "sponsor": view.sponsor("sponsor-0").public_id,
            "list_key": view.keys(Purpose.LISTS)[0].key_id,
            "entry_key": view.keys(Purpose.ENTRIES)[0].key_id,
            "servers": 2,
            "tags": sorted(server.tag for server in view.servers(Server.is_permanent.is_(True))),
        }


def test_a_bundle_does_not_differ_from_itself(bundle_data: bytes) -> None:
    assert [*differences(bundle_data, bundle_data)] == []


def test_fields_and_servers_that_differ_are_told(bundle_data: bytes) -> None:
    lines = entries(bundle_data)
    tags = [entry_tag(decode_fields(line)) for line in lines]
    newer = encode_fields({**decode_fields(lines[1]), "configurationVersion": 7})
    new = changed(
        bundle_data,
        EgressRegion="SE",
        SponsorId="0" * 16,
        ObfuscatedServerListRootURLs=None,
        **{ENTRIES: [newer, *lines[2:]]},
    )
    version = decode_fields(lines[1]).get("configurationVersion", 0)
    expected = {
        f"server {tags[0]} is gone",
        f"server {tags[1]}: version {version} → 7",
        "EgressRegion is new",
        "ObfuscatedServerListRootURLs is gone",
        "SponsorId is another",
    }
    found = [*differences(bundle_data, new)]
    assert (set(found), len(found)) == (expected, 5)
    assert f"server {tags[0]} is new" in [*differences(new, bundle_data)]
