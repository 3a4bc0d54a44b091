"""Lists of hosts: what each pattern means, however a host is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import DocumentError
from headrace.documents.host_patterns import HostPatterns


@pytest.mark.parametrize(
    ("pattern", "hosts", "others"),
    [
        (
            "example.org",
            ["example.org", "EXAMPLE.org", "example.org."],
            ["www.example.org", "example.or", ""],
        ),
        ("*.Example.org.", ["www.example.org", "a.b.example.org."], ["example.org", "badexample.org"]),
        ("bücher.example", ["bücher.example", "BÜCHER.example", "xn--bcher-kva.example"], ["bucher.example"]),
        ("*.bücher.example", ["www.xn--bcher-kva.example"], ["bücher.example"]),
        ("printer", ["printer", "PRINTER"], ["printer.local"]),
        ("192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.8", "www.192.0.2.7"]),
        ("192.0.2.7/24", ["192.0.2.0", "192.0.2.255"], ["192.0.3.0", "::1"]),
        ("2001:db8::/32", ["2001:db8::1", "2001:DB8:0::1"], ["2001:db9::1", "192.0.2.7"]),
    ],
)
def test_patterns(pattern: str, hosts: list[str], others: list[str]) -> None:
    patterns = HostPatterns.parse(["other.example", pattern])
    assert [host for host in hosts if not patterns.match(host)] == []
    assert [host for host in others if patterns.match(host)] == []


def test_no_patterns_mean_nobody() -> None:
    assert not HostPatterns.parse([]).match("example.org")


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "*", "*.", ".", "a..b", "a.*.b", "a*.b", "http://a/", "a:80", "[::1]", "a@b", "a b"),
        *("192.0.2.0/33", "*.192.0.2.7", "fe80::1%eth0/200", "\ud800", "ü" * 300, "a" * 256),
    ],
)
def test_what_is_no_host(pattern: str) -> None:
    with pytest.raises(DocumentError, match=r"is no host: write for instance example\.org"):
        HostPatterns.parse([pattern])


@given(pattern=st.text(max_size=30), host=st.text(max_size=30))
def test_any_text_is_read_or_refused(pattern: str, host: str) -> None:
    try:
        patterns = HostPatterns.parse([pattern])
    except DocumentError:
        return
    patterns.match(host)
