"""The rule for fully encrypted traffic, at its edges."""

import pytest

from headrace.base.rng import SeededRng
from headrace.testing.first_packets import begins_with, exemptions, looks_fully_encrypted

#: Four bits a byte, nothing printable.
PLAIN = b"\xe8\x0f" * 100


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (PLAIN, []),
        (b"", ["empty"]),
        (bytes(50), ["bits"]),
        (b"\xff" * 50, ["bits"]),
        (b"\x07\x0f\x07\x0f\x0f" * 20, []),  # 3.6 bits a byte
        (b"\x07\x07\x0f\x07\x0f" * 20, ["bits"]),  # 3.4
        (b"\xf8\xf0\xf8\xf0\xf0" * 20, []),  # 4.4
        (b"\xf8\xf8\xf0\xf8\xf0" * 20, ["bits"]),  # 4.6
        (b"abcdef" + PLAIN, ["printable start"]),
        (b"abcde" + PLAIN, []),
        (b"\xe8K" * 50, []),
        (b"\xe8K" * 50 + b"K", ["mostly printable"]),
        (PLAIN + b"K" * 20 + PLAIN, []),
        (PLAIN + b"K" * 21 + PLAIN, ["printable run"]),
        (b"\x16\x03\x03" + PLAIN, ["protocol"]),
        (b"\x17\x03\x09" + PLAIN, ["protocol"]),
        (b"\x16\x03\x0a" + PLAIN, []),
        (b"\x16\x02\x03" + PLAIN, []),
        (b"GET " + PLAIN, ["protocol"]),
        (b"POST " + PLAIN, ["protocol"]),
        (b"GETX" + PLAIN, []),
        (b"\n" * 6 + PLAIN, []),
    ],
    ids=lambda value: value[:8].hex() if isinstance(value, bytes) else ",".join(value),
)
def test_what_is_spared_and_why(packet: bytes, why: list[str]) -> None:
    assert exemptions(packet) == why
    assert looks_fully_encrypted(packet) is (not why)


def test_nearly_all_that_is_random_is_suspect() -> None:
    rng = SeededRng(7)
    assert sum(looks_fully_encrypted(rng.bytes(400)) for _ in range(1000)) > 980


def test_starts() -> None:
    wanted = begins_with(b"SSH-", b"\x16\x03")
    assert [wanted(packet) for packet in (b"SSH-2.0", b"\x16\x03\x01", b"GET /", b"SSH", b"")] == [
        True,
        True,
        False,
        False,
        False,
    ]
