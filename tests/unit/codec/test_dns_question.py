"""What a DNS message asks for."""

import dns.exception
import dns.message
import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import RemoteProtocolError
from headrace.codec.dns_question import read_question


@pytest.mark.parametrize("name", ["a.example", "A.Example", "localhost", "a" * 63 + ".example", ""])
def test_the_name_of_a_question(name: str) -> None:
    for kind in ("A", "AAAA", "HTTPS"):
        assert read_question(dns.message.make_query(name + ".", kind, use_edns=True).to_wire()) == name


def test_the_longest_name() -> None:
    longest = ".".join(["a" * 63] * 3 + ["a" * 61])
    assert read_question(dns.message.make_query(longest, "A").to_wire()) == longest


HEAD = bytes(4) + b"\0\1" + bytes(6)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"question",
        bytes(12),
        bytes(4) + b"\0\2" + bytes(6) + b"\1a\0\0\1\0\1\1b\0\0\1\0\1",
        HEAD + b"\1a",
        HEAD + b"\1a\0\0\1\0",
        HEAD + b"\xc0\x0c\0\1\0\1",
        HEAD + b"\x40" + b"a" * 64 + b"\0\0\1\0\1",
        HEAD + b"\x3f" + b"a" * 63 + (b"\x3f" + b"a" * 63) * 3 + b"\0\0\1\0\1",
    ],
)
def test_what_is_no_question(message: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read_question(message)


@given(st.binary() | st.binary().map(lambda data: HEAD + data))
def test_any_bytes_are_a_question_or_none(message: bytes) -> None:
    try:
        name = read_question(message)
    except RemoteProtocolError:
        return
    assert len(name) <= 253


@given(st.binary(max_size=80))
def test_names_are_read_as_others_read_them(data: bytes) -> None:
    """A name that passes for another one would be a way around a block list."""
    message = HEAD + data
    try:
        theirs, used = dns.name.from_wire(message, 12)
    except dns.exception.DNSException:
        return
    if len(message) < 12 + used + 4 or any(data[i] >= 0xC0 for i in range(used)):
        return
    assert read_question(message).encode("latin-1") == b".".join(theirs.labels[:-1])
