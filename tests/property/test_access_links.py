"""Properties of access links: there and back, and what a stranger wrote is plain data or damage."""

import base64
import hashlib
import zlib
from datetime import UTC, datetime

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import DocumentError
from headrace.documents.access_link import SCHEME, make_link, read_link

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FIELD = b"\xa1\x01\xa1\x69SponsorId"  # the content's head: a value comes next

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
).filter(lambda value: _depth(value) < 6)


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


def link_with(content: bytes) -> str:
    packed = zlib.compress(content, 9)
    data = hashlib.sha256(packed).digest()[:4] + packed
    return f"{SCHEME}1/" + base64.urlsafe_b64encode(data).decode().rstrip("=")


@given(
    st.dictionaries(st.sampled_from(["SponsorId", "RemoteServerListURLs", "EgressRegion"]), json_values),
    st.none() | st.datetimes(datetime(2027, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
)
def test_what_was_put_in_comes_out_to_the_second(fields: dict[str, object], expires: datetime | None) -> None:
    link = read_link(make_link(fields, expires), NOW)
    assert link.configuration == {**fields, "EmbeddedServerEntryList": []}
    assert link.expires == (expires and expires.replace(microsecond=0))


@given(st.data())
def test_a_link_with_a_changed_bit_is_refused(data: st.DataObject) -> None:
    link = make_link({"SponsorId": "FEDCBA9876543210"})
    at = data.draw(st.integers(len(SCHEME), len(link) - 1))
    changed = chr(ord(link[at]) ^ 1 << data.draw(st.integers(0, 6)))
    # White space and angle brackets are dropped, so such a letter is missing.
    with pytest.raises(DocumentError):
        read_link(link[:at] + changed + link[at + 1 :], NOW)


@pytest.mark.parametrize(
    "content",
    [
        FIELD + b"\xc1\x00",  # a tag: the library would make a date of it
        FIELD + b"\xd8\x1c\x81\xd8\x1d\x00",  # a list that holds itself
        FIELD + b"\x61a" + b"junk",
        b"\xa2\x01\xa0\x01\xa0",  # a part that comes twice
        b"\xa1\x01" + b"\x81" * 10_000 + b"\x80",
        b"\xa2\x01\xa0\x02\x9a\x00\x00\xff\xff" + b"\x80" * 0xFFFF,
        b"\xa2\x01\xa0\x03\xf5",  # expires: true
        cbor2.dumps({1: {}, 4: "\x1b[2J"}),
        cbor2.dumps({1: {}, 4: "a" * 101}),
    ],
    ids=["tag", "cycle", "trailing", "twice", "deep", "many", "time", "escapes", "long label"],
)
def test_content_that_is_more_than_plain_data_is_damaged(content: bytes) -> None:
    with pytest.raises(DocumentError, match="damaged"):
        read_link(link_with(content), NOW)


def test_no_link_is_made_that_could_not_be_read() -> None:
    nested: list[object] = []
    for _ in range(20):
        nested = [nested]
    for value in (nested, ["x" * (256 << 10)], NOW):
        with pytest.raises(DocumentError, match="too much for a link"):
            make_link({"RemoteServerListURLs": value})


def test_a_version_before_the_first_is_damage() -> None:
    with pytest.raises(DocumentError, match="damaged"):
        read_link(f"{SCHEME}0/abcd", NOW)
