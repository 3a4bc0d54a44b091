"""The data types of RFC 4251 §5, with the RFC's own examples."""

import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.ssh.wire import Reader, boolean, mpint, mpint_body, name_list, string, u32


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00000000"),
        (0x9A378F9B2E332A7, "0000000809a378f9b2e332a7"),
        (0x80, "000000020080"),
        (0x7F, "000000017f"),
        (0xFF00, "0000000300ff00"),
    ],
)
def test_mpint(value: int, encoded: str) -> None:
    assert mpint(value).hex() == encoded
    assert mpint_body(value).hex() == encoded[8:]


@pytest.mark.parametrize(
    ("names", "encoded"),
    [((), "00000000"), (("zlib",), "000000047a6c6962"), (("zlib", "none"), "000000097a6c69622c6e6f6e65")],
)
def test_name_list(names: tuple[str, ...], encoded: str) -> None:
    assert name_list(names).hex() == encoded
    assert Reader(bytes.fromhex(encoded)).name_list() == names


def test_everything_written_is_read_back() -> None:
    reader = Reader(u32(699921578) + boolean(True) + boolean(False) + string("è".encode()) + b"\x07rest")
    assert reader.u32() == 699921578
    assert (reader.boolean(), reader.boolean()) == (True, False)
    assert reader.text() == "è"
    assert reader.u8() == 7
    assert bytes(reader.rest()) == b"rest"
    reader.check_end()


def test_any_nonzero_byte_is_true() -> None:
    assert Reader(b"\xff").boolean()


@pytest.mark.parametrize("size", range(9))
def test_a_string_cut_short_is_refused(size: int) -> None:
    whole = string(b"abcde")
    with pytest.raises(RemoteProtocolError):
        Reader(whole[:size]).string()
    assert bytes(Reader(whole).string()) == b"abcde"


def test_a_huge_length_is_refused_without_allocating() -> None:
    with pytest.raises(RemoteProtocolError):
        Reader(b"\xff\xff\xff\xffabc").string()


@pytest.mark.parametrize("read", [Reader.text, Reader.name_list])
def test_text_in_another_encoding_is_refused(read: object) -> None:
    assert callable(read)
    with pytest.raises(RemoteProtocolError):
        read(Reader(string(b"caf\xe9")))


def test_what_is_left_over_is_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        Reader(b"x").check_end()
