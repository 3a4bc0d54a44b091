"""Replies to API requests: whatever a server says, what the client keeps is bounded and can be said again."""

from headrace.client import api

SEEDS = [
    b'{"connected_timestamp":"2024-06-01T12:00:00Z","padding":"  "}',
    b'{"invalid_server_entry_tags":["dGFn","dGFnMg=="],"padding":""}',
    b'{"invalid_server_entry_tags":null,"connected_timestamp":null}',
]


def fuzz(data: bytes) -> None:
    """`data` is the reply to a connected or a status request."""
    stamp, tags = api.connected_timestamp(data), api.invalid_tags(data)
    assert len(stamp) <= api.MAX_TIMESTAMP
    assert stamp.isascii()
    assert len(tags) <= api.MAX_TAGS
    assert all(isinstance(tag, str) for tag in tags)
