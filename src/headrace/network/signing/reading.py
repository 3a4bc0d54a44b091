"""Reading the files of this room: each is one JSON object that says what it is."""

from typing import TypeVar

import msgspec

from headrace.base.errors import DocumentError
from headrace.documents.config_reader import explain

__all__ = ["read_document"]

Document = TypeVar("Document")


def read_document(data: bytes, kind: type[Document], file: str, most: int) -> Document:
    """Return what `file`, of `most` bytes, holds. Raises DocumentError, whose text can be shown anywhere."""
    if len(data) > most:
        raise DocumentError(f"{file}: too large: it cannot have more than {most} bytes")
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        problem = explain(error)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        problem = f"not JSON: {error}"
    # It may repeat what the file has for the name of a field.
    raise DocumentError(f"{file}: {problem if problem.isprintable() else ascii(problem)}")
