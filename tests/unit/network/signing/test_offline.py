import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.package_keys import KEY as RSA_KEY

from headrace.base.errors import DocumentError, OperatorError
from headrace.base.rng import SYSTEM_RNG
from headrace.documents.json_canonical import encode_canonical
from headrace.network.signing import offline
from headrace.network.signing.making import KeyPair, adopt_key, make_key
from headrace.network.signing.offline import (
    SignedResponse,
    SignRequest,
    accept_response,
    describe_request,
    encode_document,
    make_request,
    read_request,
    read_response,
    sign_request,
)
from headrace.network.signing.signer import NeedsOfflineSignature, OfflineEntrySigner, Unsigned

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ENTRIES = make_key("entry-signing", SYSTEM_RNG)
LISTS = adopt_key("list-signing", RSA_KEY.to_text())
ENTRY = encode_canonical({"ipAddress": "192.0.2.1", "sshPort": 22})


def request_for(key: KeyPair, *data: bytes) -> SignRequest:
    wanted = tuple(Unsigned(f"object {number}", each) for number, each in enumerate(data))
    return make_request("demo", NeedsOfflineSignature(key.purpose, key.key_id, wanted), NOW)


def answer(request: SignRequest, key: KeyPair) -> SignedResponse:
    return sign_request(request, key, NOW, lambda lines: True)


def changed(document: SignRequest | SignedResponse, change: Callable[[dict[str, object]], object]) -> bytes:
    fields = json.loads(encode_document(document))
    change(fields)
    return json.dumps(fields).encode()


def item_change(name: str, value: object) -> Callable[[dict[str, object]], object]:
    def change(fields: dict[str, object]) -> None:
        items = fields["items"]
        assert isinstance(items, list)
        items[0][name] = value

    return change


@pytest.mark.parametrize(("key", "data"), [(ENTRIES, ENTRY), (LISTS, b"entry\nentry")])
def test_a_request_goes_to_the_key_and_its_signatures_come_back(key: KeyPair, data: bytes) -> None:
    request = request_for(key, data)
    taken_along = read_request(encode_document(request))
    assert taken_along == request
    brought_back = read_response(encode_document(answer(taken_along, key)))
    signatures = accept_response(brought_back, request, key.public)
    assert list(signatures) == [Unsigned("", data).sha256]


def test_signatures_that_came_back_are_what_an_offline_signer_needs() -> None:
    with pytest.raises(NeedsOfflineSignature) as caught:
        OfflineEntrySigner("entry-signing", ENTRIES.public, {}).sign(ENTRY)
    request = make_request("demo", caught.value, NOW)
    signatures = accept_response(answer(request, ENTRIES), request, ENTRIES.public)
    signer = OfflineEntrySigner("entry-signing", ENTRIES.public, signatures)
    assert signer.public.verify(ENTRY, signer.sign(ENTRY))


def test_whoever_signs_is_told_what() -> None:
    told: list[list[str]] = []

    def confirm(lines: list[str]) -> bool:
        told.append(lines)
        return True

    sign_request(request_for(ENTRIES, ENTRY), ENTRIES, NOW, confirm)
    (lines,) = told
    assert "network demo" in lines[0]
    assert ENTRIES.key_id in lines[0]
    assert "2026-05-01 12:00 UTC, 1 to sign" in lines[1]
    assert "object 0: server entry of '192.0.2.1'" in lines[2]
    assert describe_request(request_for(LISTS, b"a\nb"))[2].startswith("  object 0: text, 2 lines, 3 bytes")


def test_nothing_is_signed_without_consent() -> None:
    with pytest.raises(OperatorError, match="nothing was signed"):
        sign_request(request_for(ENTRIES, ENTRY), ENTRIES, NOW, lambda lines: False)


def test_a_request_for_another_key_is_refused() -> None:
    other = make_key("entry-signing", SYSTEM_RNG)
    for key in (other, LISTS):
        with pytest.raises(DocumentError, match=f"for the entry-signing key {ENTRIES.key_id}"):
            answer(request_for(ENTRIES, ENTRY), key)


@pytest.mark.parametrize("data", [b"[]", b'{"a": 1}', b"text", b'"text"', b"\xff"])
def test_the_key_of_entries_signs_no_other_thing(data: bytes) -> None:
    with pytest.raises(DocumentError):
        answer(request_for(ENTRIES, data), ENTRIES)


def test_the_key_of_lists_signs_text_only() -> None:
    with pytest.raises(DocumentError, match="no text"):
        answer(request_for(LISTS, b"\xff"), LISTS)


def test_data_that_was_changed_on_the_way_is_refused() -> None:
    other = base64.b64encode(b"{}").decode()
    with pytest.raises(DocumentError, match="object 0 is not what its digest says"):
        read_request(changed(request_for(ENTRIES, ENTRY), item_change("data", other)))


def test_a_signature_that_was_changed_on_the_way_is_refused() -> None:
    request = request_for(ENTRIES, ENTRY)
    response = answer(request, ENTRIES)
    signature = bytearray(response.items[0].signature)
    for place in range(len(signature)):
        signature[place] ^= 1
        text = base64.b64encode(signature).decode()
        signature[place] ^= 1
        damaged = read_response(changed(response, item_change("signature", text)))
        with pytest.raises(DocumentError, match="not that of the key"):
            accept_response(damaged, request, ENTRIES.public)


def test_signatures_of_another_key_are_refused_though_they_claim_to_be_of_this() -> None:
    request = request_for(ENTRIES, ENTRY)
    other = make_key("entry-signing", SYSTEM_RNG)
    forged = answer(request, KeyPair(ENTRIES.purpose, "", ENTRIES.public, ENTRIES.key_id, other.private))
    with pytest.raises(DocumentError, match="another key"):
        accept_response(forged, request, ENTRIES.public)


@pytest.mark.parametrize(
    ("name", "value"), [("network", "other"), ("purpose", "list-signing"), ("key_id", "0" * 16)]
)
def test_the_answer_to_another_request_is_refused(name: str, value: str) -> None:
    request = request_for(ENTRIES, ENTRY)
    response = read_response(changed(answer(request, ENTRIES), lambda fields: fields.update({name: value})))
    with pytest.raises(DocumentError, match=f"for {name} {value}"):
        accept_response(response, request, ENTRIES.public)


def test_signatures_that_nobody_asked_for_are_refused() -> None:
    request = request_for(LISTS, b"first")
    more = answer(request_for(LISTS, b"first", b"second"), LISTS)
    with pytest.raises(DocumentError, match="object 1 was not asked for"):
        accept_response(more, request, LISTS.public)
    renamed = read_response(changed(answer(request, LISTS), item_change("name", "other")))
    with pytest.raises(DocumentError, match="other was not asked for"):
        accept_response(renamed, request, LISTS.public)


def test_an_answer_that_is_not_complete_is_refused() -> None:
    request = request_for(LISTS, b"first", b"second")
    less = answer(request_for(LISTS, b"first"), LISTS)
    with pytest.raises(DocumentError, match="object 1 is not signed"):
        accept_response(less, request, LISTS.public)


def test_an_answer_is_no_request_and_the_reverse() -> None:
    request = request_for(ENTRIES, ENTRY)
    with pytest.raises(DocumentError):
        read_response(encode_document(request))
    with pytest.raises(DocumentError):
        read_request(encode_document(answer(request, ENTRIES)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("network", ""),
        ("network", "\x1b[2J"),
        ("network", "n" * 201),
        ("purpose", "magic"),
        ("purpose", "osl-master"),
        ("key_id", "0" * 15),
        ("key_id", "0" * 16 + "\n"),
        ("created", "2026-05-01T12:00:00"),
        ("created", "2026-05-01T12:00:00+02:00"),
        ("created", 0),
        ("items", []),
        ("items", None),
        ("unknown", 1),
    ],
)
def test_a_field_that_cannot_be_makes_both_files_unreadable(field: str, value: object) -> None:
    request = request_for(ENTRIES, ENTRY)
    for document, read in ((request, read_request), (answer(request, ENTRIES), read_response)):
        data = changed(document, lambda fields: fields.update({field: value}))
        with pytest.raises(DocumentError, match="some file: "):
            read(data, "some file")


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "a\nb"), ("name", ""), ("sha256", "0" * 63), ("sha256", "F" * 64), ("data", "!"), ("more", 1)],
)
def test_an_item_that_cannot_be_makes_a_request_unreadable(field: str, value: object) -> None:
    with pytest.raises(DocumentError, match="some file: "):
        read_request(changed(request_for(ENTRIES, ENTRY), item_change(field, value)), "some file")


def test_items_have_names_and_contents_of_their_own() -> None:
    request = request_for(LISTS, b"first", b"second")
    with pytest.raises(DocumentError, match="two have the same name"):
        read_request(changed(request, item_change("name", "object 1")))
    with pytest.raises(DocumentError, match="two have the same sha256"):
        read_request(encode_document(request_for(LISTS, b"first", b"first")))


def test_a_file_that_is_too_large_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_document(request_for(ENTRIES, ENTRY))
    monkeypatch.setattr(offline, "MAX_FILE", len(data) - 1)
    with pytest.raises(DocumentError, match="too large"):
        read_request(data)


def test_no_private_key_is_in_an_answer() -> None:
    text = encode_document(answer(request_for(ENTRIES, ENTRY), ENTRIES))
    assert ENTRIES.private.encode() not in text


REQUEST = encode_document(request_for(LISTS, b"first", b"second\n"))
RESPONSE = encode_document(answer(request_for(LISTS, b"first"), LISTS))
READERS = (read_request, read_response)


@given(st.binary(max_size=400))
def test_garbage_is_refused(data: bytes) -> None:
    for read in READERS:
        with pytest.raises(DocumentError):
            read(data)


@given(st.sampled_from([REQUEST, RESPONSE]), st.data())
def test_a_file_changed_anywhere_is_read_or_refused(whole: bytes, draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(whole)))
    end = draw.draw(st.integers(start, min(len(whole), start + 40)))
    data = whole[:start] + draw.draw(st.binary(max_size=6)) + whole[end:]
    for read in READERS:
        try:
            document = read(data)
        except DocumentError:
            continue
        assert read(encode_document(document)) == document


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([REQUEST, RESPONSE]), st.data(), json_values)
def test_any_value_in_any_field_is_read_or_refused(whole: bytes, draw: st.DataObject, value: object) -> None:
    fields = msgspec.json.decode(whole)
    target = draw.draw(st.sampled_from([fields, fields["items"][0]]))
    target[draw.draw(st.sampled_from(sorted(target)))] = value
    for read in READERS:
        try:
            read(json.dumps(fields).encode())
        except DocumentError as error:
            assert str(error).isprintable()


@given(
    st.lists(st.text(max_size=50), min_size=1, max_size=4, unique=True), st.datetimes(timezones=st.just(UTC))
)
def test_every_request_comes_back_as_it_was(texts: list[str], now: datetime) -> None:
    wanted = tuple(
        Unsigned(f"{n}", text.encode("utf-8", "replace") + b"%d" % n) for n, text in enumerate(texts)
    )
    request = make_request("demo", NeedsOfflineSignature("list-signing", "0" * 16, wanted), now)
    assert read_request(encode_document(request)) == request
