"""Block lists: what a line may be, what is found, and what a list of a million lines costs."""

import ipaddress
import itertools
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import DocumentError
from headrace.codec.host_names import question_name
from headrace.documents.blocklist import NO_BLOCKLIST, Blocklist, Reason, read_blocklist
from headrace.documents.port_policy import Address

BOTNET, PHISHING = Reason("feed", "botnet"), Reason("feed", "phishing")


def read(text: str) -> Blocklist:
    return read_blocklist(text.splitlines(keepends=True))


def address(text: str) -> Address:
    return ipaddress.ip_address(text)


@pytest.mark.parametrize(
    ("line", "listed"),
    [
        ("192.0.2.7,feed,botnet", "192.0.2.7"),
        ('"192.0.2.7","feed","botnet"', "192.0.2.7"),
        (" 192.0.2.7 ,feed,botnet", "192.0.2.7"),
        ("::ffff:192.0.2.7,feed,botnet", "192.0.2.7"),
        ("192.0.2.7,feed,botnet", "::ffff:192.0.2.7"),
        ("2001:DB8::0:7,feed,botnet", "2001:db8::7"),
    ],
)
def test_addresses(line: str, listed: str) -> None:
    blocklist = read(line + "\n")
    assert blocklist.address(address(listed)) == (BOTNET,)
    assert blocklist.address(address("192.0.2.8")) == ()
    assert blocklist.name("192.0.2.7") == ()


@pytest.mark.parametrize(
    ("line", "listed"),
    [
        ("malware.example,feed,phishing", "malware.example"),
        ("Malware.EXAMPLE.,feed,phishing", "malware.example"),
        ("bücher.example,feed,phishing", "xn--bcher-kva.example"),
        ("4chan1,feed,phishing", "4chan1"),
    ],
)
def test_names(line: str, listed: str) -> None:
    blocklist = read(line)
    assert blocklist.name(listed) == (PHISHING,)
    assert blocklist.name(f"www.{listed}") == ()


def test_a_destination_may_be_listed_for_several_reasons_each_told_once() -> None:
    blocklist = read("192.0.2.7,feed,botnet\n192.0.2.7,feed,phishing\n192.0.2.7,feed,botnet\n")
    assert sorted(blocklist.address(address("192.0.2.7"))) == [BOTNET, PHISHING]
    assert len(blocklist) == 3


def test_comments_empty_lines_and_quotes() -> None:
    text = '# 192.0.2.1,feed,botnet\r\n\r\n192.0.2.2,"a ""feed"", or two",botnet\r\n#\r\n'
    blocklist = read(text)
    assert blocklist.address(address("192.0.2.1")) == ()
    assert blocklist.address(address("192.0.2.2")) == (Reason('a "feed", or two', "botnet"),)


def test_no_name_is_an_address() -> None:
    """The four letters of a name are an address, too, to whoever looks at the bytes only."""
    blocklist = read("a.bc,feed,phishing\n")
    assert blocklist.address(ipaddress.IPv4Address(b"a.bc")) == ()
    assert NO_BLOCKLIST.name("a.bc") == ()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("192.0.2.7", "write three fields"),
        ("192.0.2.7,feed", "write three fields"),
        ("192.0.2.7,feed,botnet,more", "write three fields"),
        ("192.0.2.0/24,feed,botnet", "192.0.2.0/24 is neither an address nor a name"),
        ("999.0.2.7,feed,botnet", "999.0.2.7 is neither an address nor a name"),
        ("192.0.2.07,feed,botnet", "192.0.2.07 is neither an address nor a name"),
        ("fe80::1%lo,feed,botnet", "fe80::1%lo is neither"),
        ("a b.example,feed,botnet", "a b.example is neither"),
        (",feed,botnet", " is neither an address nor a name"),
        ('"192.0.2.7,feed,botnet', "unexpected end of data"),
        ("\ufffd,feed,botnet", "is neither"),
    ],
)
def test_a_line_that_cannot_be_used_is_told_by_its_number(line: str, problem: str) -> None:
    text = f"# head\n\n192.0.2.1,feed,botnet\n{line}\n"
    with pytest.raises(DocumentError) as error:
        read_blocklist(text.splitlines(keepends=True), "list.csv")
    assert str(error.value).startswith("list.csv: line 4: ")
    assert problem in str(error.value)


NAMES = st.from_regex(r"[a-z0-9_]{1,9}(\.[a-z0-9_]{1,9}){0,3}\.[a-z]{2,9}", fullmatch=True)


@given(st.lists(st.ip_addresses() | NAMES, unique_by=str), st.ip_addresses() | NAMES)
def test_what_is_listed_is_found_and_nothing_else(listed: list[Address | str], other: Address | str) -> None:
    blocklist = read_blocklist(f"{each},feed,{place}\n" for place, each in enumerate(listed))
    for place, each in enumerate(listed):
        found = blocklist.name(each) if isinstance(each, str) else blocklist.address(each)
        assert Reason("feed", str(place)) in found
    if isinstance(other, str):
        assert bool(blocklist.name(other)) == (other in listed)
    else:
        assert bool(blocklist.address(other)) == (_plain(other) in map(_plain, listed))


def _plain(destination: Address | str) -> Address | str:
    mapped = destination.ipv4_mapped if isinstance(destination, ipaddress.IPv6Address) else None
    return mapped or destination


@given(st.text() | st.lists(st.text(), min_size=3, max_size=3).map(",".join))
def test_any_text_is_a_list_or_told_why_not(text: str) -> None:
    try:
        blocklist = read_blocklist(text.splitlines(keepends=True), "list.csv")
    except DocumentError as error:
        assert str(error).startswith("list.csv: line ")
        return
    assert len(blocklist) <= len(text)
    name = question_name(text.partition(",")[0])
    assert name is None or len(blocklist.name(name)) <= len(blocklist)


def test_a_line_costs_twelve_bytes() -> None:
    def lines() -> Iterator[str]:
        for number in itertools.islice(itertools.count(), 100_000):
            yield f"host-{number}.example,feed-{number % 5},malware\n"

    tracemalloc.start()
    try:
        blocklist = read_blocklist(lines())
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert size / len(blocklist) < 13
    assert blocklist.name("host-99999.example") == (Reason("feed-4", "malware"),)
