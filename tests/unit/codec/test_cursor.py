"""The bounded reader never runs past its input."""

import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.codec.cursor import Cursor


def test_reads_front_to_back() -> None:
    cursor = Cursor(bytes.fromhex("01 0002 00000003 0000000000000004 aabb cc"))
    assert (cursor.u8(), cursor.u16(), cursor.u32(), cursor.u64()) == (1, 2, 3, 4)
    assert cursor.bytes(2) == b"\xaa\xbb"
    assert cursor.remaining == 1
    assert bytes(cursor.rest()) == b"\xcc"
    cursor.check_end()


@pytest.mark.parametrize("count", [-1, 4])
def test_refuses_to_leave_the_input(count: int) -> None:
    cursor = Cursor(b"abc")
    with pytest.raises(RemoteProtocolError, match="3 left"):
        cursor.take(count)
    assert cursor.bytes(3) == b"abc"


def test_insists_on_the_end() -> None:
    with pytest.raises(RemoteProtocolError, match="2 bytes left over"):
        Cursor(b"ab").check_end()
