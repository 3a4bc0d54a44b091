"""The name that a DNS message asks for (RFC 1035 §4.1), and nothing else of it."""

from typing import Final

from headrace.base.errors import RemoteProtocolError
from headrace.codec.cursor import Cursor

__all__ = ["read_question"]

_COUNTS: Final = 4  # where the number of questions is
_HEAD: Final = 12
_LONGEST_LABEL: Final = 63
_LONGEST_NAME: Final = 255  # bytes, with the lengths of its labels


def read_question(message: bytes) -> str:
    """Return the name that a message asks for, as it is written there, without a dot at the end.

    Raises RemoteProtocolError for what is no message with one question.
    """
    cursor = Cursor(message)
    cursor.take(_COUNTS)
    if cursor.u16() != 1:
        raise RemoteProtocolError("not one question")
    cursor.take(_HEAD - _COUNTS - 2)
    labels: list[str] = []
    taken = 0
    while size := cursor.u8():
        taken += 1 + size
        if size > _LONGEST_LABEL or taken >= _LONGEST_NAME:  # the first name has nothing to point back to
            raise RemoteProtocolError("no name")
        labels.append(cursor.bytes(size).decode("latin-1"))
    cursor.take(4)  # type and class
    return ".".join(labels)
