"""No address gets through."""

import ipaddress
import time

import pytest

from headrace.base.redact import scrub_addresses


@pytest.mark.parametrize(
    "address",
    [
        "192.0.2.1",
        "192.0.2.1:443",
        "999.999.999.999:99999",
        "2001:db8::1",
        "2001:DB8:0:0:0:0:0:1",
        "1:2:3:4:5:6:7:8",
        "[2001:db8::1]",
        "[2001:db8::1]:443",
        "fe80::1%eth0",
        "[fe80::1%eth0]:22",
        "::1",
        "1::",
        "::ffff:192.0.2.1",
        "[::ffff:192.0.2.1]:80",
        "64:ff9b::192.0.2.1",
        "0:0:0:0:0:ffff:192.0.2.1",
    ],
)
@pytest.mark.parametrize("frame", ["{}", "dial tcp {}: refused", '"{}"', "a={},b", "({})", "x{}\\n"])
def test_addresses_go(address: str, frame: str) -> None:
    assert scrub_addresses(frame.format(address)) == frame.format("[redacted]")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12:34:56",
        "2024-01-02T03:04:05.678Z",
        "1.2.3",
        "::",
        "a :: b",
        '{"a":{"b":[1,2]}}',
        "de:ad:be:ef",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert scrub_addresses(text) == text


def test_every_written_form_of_an_address() -> None:
    for number in (0, 1, 0xFFFF, 1 << 64, (1 << 128) - 1, 0x20010DB8 << 96 | 0xABC0000DEF):
        address = ipaddress.IPv6Address(number)
        assert scrub_addresses(address.exploded) == "[redacted]"
        if number:
            assert scrub_addresses(address.compressed) == "[redacted]"


@pytest.mark.parametrize("unit", ["a1", "1:", "1.", "::", "1::", "[", "1%", "1.1.1.1:"])
def test_long_lines_cost_no_more_than_their_length(unit: str) -> None:
    started = time.perf_counter()
    scrub_addresses(unit * 100_000)
    assert time.perf_counter() - started < 5  # quadratic time would be minutes
