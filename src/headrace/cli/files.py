"""Reading files that a person names: whatever goes wrong is said in a line that names the file."""

from pathlib import Path

from headrace.base.errors import OperatorError

__all__ = ["read_file"]

#: No configuration or list of entries that we read is larger.
_MAX_BYTES = 256 * 1024 * 1024


def read_file(path: Path, what: str) -> bytes:
    """Return the contents. Raises OperatorError."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise OperatorError(f"{what} {path} is too large to be one; name the right file")
        return path.read_bytes()
    except FileNotFoundError:
        raise OperatorError(f"{what} {path} does not exist; check the name") from None
    except IsADirectoryError:
        raise OperatorError(f"{what} {path} is a directory; name the file in it") from None
    except OSError as error:
        raise OperatorError(f"{what} {path} cannot be read: {error.strerror}") from error
