"""Whatever a server answers a client's requests, what the client makes of it can be said and asked again."""

import json

from hypothesis import given
from hypothesis import strategies as st

from headrace.client import api

NAMES = st.sampled_from(["invalid_server_entry_tags", "connected_timestamp"]) | st.text(max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=10,
)
REPLIES = st.none() | st.binary() | VALUES.map(json.dumps).map(str.encode)


@given(REPLIES)
def test_tags_are_texts(reply: bytes | None) -> None:
    tags = api.invalid_tags(reply)
    assert all(isinstance(tag, str) for tag in tags)
    assert len(tags) <= api.MAX_TAGS


@given(REPLIES)
def test_a_timestamp_is_short_and_plain(reply: bytes | None) -> None:
    stamp = api.connected_timestamp(reply)
    assert stamp.isascii()
    assert len(stamp) <= api.MAX_TIMESTAMP
