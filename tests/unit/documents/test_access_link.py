"""A link says what was put into it, and every other text is refused."""

import base64
import hashlib
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import DocumentError
from headrace.documents.access_link import (
    LINK_FIELDS,
    SCHEME,
    LinkExpired,
    is_link,
    link_fields,
    make_link,
    read_link,
)
from headrace.documents.client_config import read_client_config
from headrace.server.generate import generate_server
from headrace.ssh.host_keys import HostKey

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)
ENTRY = generate_server(
    ip="192.0.2.7", protocols={"OSSH": 443}, region="CH", host_key=HostKey.generate("ed25519")
).entry
CONFIGURATION: dict[str, Any] = {
    "PropagationChannelId": "0123456789ABCDEF",
    "SponsorId": "FEDCBA9876543210",
    "EmbeddedServerEntryList": [ENTRY],
    "RemoteServerListURLs": [{"URL": "aHR0cHM6Ly9leGFtcGxlLm9yZy8=", "OnlyAfterAttempts": 0}],
}
LINK = make_link(CONFIGURATION, NOW + timedelta(days=7), "from Ann")


def damaged(content: object, *, check: bytes = b"") -> str:
    packed = zlib.compress(cbor2.dumps(content))
    data = (check or hashlib.sha256(packed).digest()[:4]) + packed
    return f"{SCHEME}1/" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_a_link_says_what_was_put_into_it() -> None:
    link = read_link(LINK, NOW)
    assert link.configuration == CONFIGURATION
    assert link.expires == NOW + timedelta(days=7)
    assert link.label == "from Ann"


def test_a_link_without_an_end_is_good_for_ever() -> None:
    assert read_link(make_link(CONFIGURATION), NOW + timedelta(days=9999)).expires is None


def test_the_same_makes_the_same_link() -> None:
    assert make_link(CONFIGURATION, NOW + timedelta(days=7), "from Ann") == LINK


def test_entries_come_back_to_the_letter_and_take_little_room() -> None:
    assert len(make_link(CONFIGURATION)) < len(ENTRY)
    odd = ["zz", ENTRY.upper(), ENTRY]
    link = make_link({**CONFIGURATION, "EmbeddedServerEntryList": odd})
    assert read_link(link, NOW).configuration["EmbeddedServerEntryList"] == odd


def test_what_mail_programs_do_to_a_link_does_no_harm() -> None:
    broken = "\n  ".join(LINK[at : at + 60] for at in range(0, len(LINK), 60))
    assert read_link(f" <{broken}>\r\n", NOW).configuration == CONFIGURATION
    assert is_link(f" <{broken}>")


def test_a_link_past_its_time_says_so() -> None:
    with pytest.raises(LinkExpired, match=r"good until 2026-11-30 18:00 UTC; ask whoever gave it to you"):
        read_link(LINK, NOW + timedelta(days=7))
    read_link(LINK, NOW + timedelta(days=7, seconds=-1))


def test_every_truncation_and_every_changed_letter_is_found() -> None:
    for at in range(len(SCHEME), len(LINK)):
        other = "A" if LINK[at] != "A" else "B"
        for bad in (LINK[:at], LINK[:at] + other + LINK[at + 1 :]):
            with pytest.raises(DocumentError):
                read_link(bad, NOW)


def test_a_newer_link_is_told_from_a_damaged_one() -> None:
    with pytest.raises(DocumentError, match="newer headrace"):
        read_link(f"{SCHEME}2/abcd", NOW)
    with pytest.raises(DocumentError, match="damaged"):
        read_link(f"{SCHEME}x/abcd", NOW)


@pytest.mark.parametrize("text", ["", "https://example.org/", "headrace:", "headrace://other/1/x"])
def test_other_texts_are_no_links(text: str) -> None:
    with pytest.raises(DocumentError, match="not an access link"):
        read_link(text, NOW)


@pytest.mark.parametrize(
    "name",
    ["DataRootDirectory", "ListenInterface", "UpstreamProxyURL", "LocalProxyPassword", "BindInterface"],
)
def test_a_link_cannot_touch_the_machine_of_whoever_opens_it(name: str) -> None:
    with pytest.raises(DocumentError, match=name):
        make_link({**CONFIGURATION, name: "x"})
    with pytest.raises(DocumentError, match=f"'{name}' on this machine"):
        read_link(damaged({1: {name: "x"}, 2: []}), NOW)
    assert name not in link_fields({name: "x", **CONFIGURATION})


def test_fields_of_links_are_read_by_clients_or_kept_for_later() -> None:
    later = {"ExchangeObfuscationKey"}
    names: dict[str, Any] = dict.fromkeys(LINK_FIELDS - {"PropagationChannelId", "SponsorId"})
    for name in sorted(names):
        fields = {"PropagationChannelId": "0" * 16, "SponsorId": "0" * 16, name: None}
        unknown = read_client_config_or_none(fields)
        assert (unknown == [name]) == (name in later), name


def read_client_config_or_none(fields: dict[str, Any]) -> list[str]:
    import json

    try:
        return read_client_config(json.dumps(fields).encode()).unknown_fields
    except DocumentError:
        return []  # it is known, and null is no value of it


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {1: {}, 2: [], 9: 1},
        {1: {1: 2}, 2: []},
        {1: {}, 2: {}},
        {1: {}, 2: [7]},
        {1: {}, 2: [b"\xff"]},
        {1: {}, 2: [], 3: "soon"},
        {1: {}, 2: [], 3: 10**30},
        {1: {}, 2: [], 4: 5},
    ],
)
def test_content_of_another_shape_is_damaged(content: object) -> None:
    with pytest.raises(DocumentError, match="damaged"):
        read_link(damaged(content), NOW)


def test_a_bomb_is_not_unpacked() -> None:
    packed = zlib.compress(bytes(64 << 20), 9)
    data = hashlib.sha256(packed).digest()[:4] + packed
    with pytest.raises(DocumentError, match="damaged"):
        read_link(f"{SCHEME}1/" + base64.urlsafe_b64encode(data).decode().rstrip("="), NOW)
    with pytest.raises(DocumentError, match="too long"):
        read_link(SCHEME + "1/" + "A" * (5 << 20), NOW)


def test_a_label_is_one_line() -> None:
    for label in ("a\nb", "\x1b[2J", "x" * 101):
        with pytest.raises(DocumentError, match="label"):
            make_link(CONFIGURATION, label=label)


@given(st.text(max_size=200))
def test_no_text_is_worse_than_a_bad_link(text: str) -> None:
    for link in (text, SCHEME + text, SCHEME + "1/" + text):
        with pytest.raises(DocumentError):
            read_link(link, NOW)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.binary() | st.text(), st.lists, max_leaves=8)
)
def test_no_content_is_worse_than_a_damaged_link(content: object) -> None:
    with pytest.raises(DocumentError):
        read_link(damaged({1: content, 2: content}), NOW)
