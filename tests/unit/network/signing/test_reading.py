import msgspec
import pytest

from headrace.base.errors import DocumentError
from headrace.network.signing.reading import read_document


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    number: int


def test_a_document_is_read() -> None:
    assert read_document(b'{"number": 1}', Thing, "some file", 13) == Thing(1)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{"number": 10}', "some file: too large"),
        (b"", "some file: not JSON"),
        (b'{"number"', "some file: not JSON"),
        (b'{"\xff": 1}', "some file: not JSON"),
        (b'{"number":""}', "some file: number: expected a whole number, got text"),
    ],
)
def test_what_is_wrong_is_told_with_the_name_of_the_file(data: bytes, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        read_document(data, Thing, "some file", 13)


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(DocumentError):
        read_document(b"[" * 100_000, Thing, "some file", 100_000)


def test_what_a_file_calls_its_fields_does_not_reach_the_terminal_as_it_is() -> None:
    with pytest.raises(DocumentError) as caught:
        read_document(b'{"\\u001b[2J": 1}', Thing, "some file", 100)
    assert str(caught.value).isprintable()
