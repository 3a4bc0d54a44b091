"""Reading and writing files that a person names: whatever goes wrong is said in a line that names the file.

A file is written beside its place and moved there when it is whole, so that breaking off leaves the old one.
"-" is standard input and standard output.
"""

import contextlib
import io
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from headrace.base.errors import OperatorError

__all__ = ["STANDARD", "open_input", "open_output", "read_file", "write_keys"]

STANDARD = "-"
"""The name that stands for standard input or output."""

#: No configuration or list of entries that we read is larger.
_MAX_BYTES = 256 * 1024 * 1024


def read_file(path: Path, what: str) -> bytes:
    """Return the contents. Raises OperatorError."""
    with open_input(str(path), what) as stream:
        try:
            data = stream.read(_MAX_BYTES + 1)
        except OSError as error:
            raise OperatorError(f"{what} {path} cannot be read: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise OperatorError(f"{what} {path} is too large to be one; name the right file")
    return data


@contextlib.contextmanager
def open_input(name: str, what: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input for "-". Raises OperatorError."""
    if name == STANDARD:
        yield sys.stdin.buffer
        return
    try:
        stream = open(name, "rb")
    except FileNotFoundError:
        raise OperatorError(f"{what} {name} does not exist; check the name") from None
    except IsADirectoryError:
        raise OperatorError(f"{what} {name} is a directory; name the file in it") from None
    except OSError as error:
        raise OperatorError(f"{what} {name} cannot be read: {error.strerror}") from error
    with stream:
        yield stream


@contextlib.contextmanager
def open_output(name: str, *, private: bool = False) -> Iterator[BinaryIO]:
    """Open what becomes the file `name`, or goes to standard output, at the end of the block unless it fails.

    `private` files can be read by their owner only; others keep the mode of the file they replace. Raises
    OperatorError.
    """
    if name == STANDARD:
        held = io.BytesIO()
        yield held
        sys.stdout.flush()
        sys.stdout.buffer.write(held.getbuffer())
        sys.stdout.buffer.flush()
        return
    if os.path.isdir(name):
        raise OperatorError(f"{name} is a directory; name the file to write in it")
    try:
        if os.path.exists(name) and not os.path.isfile(name):
            # A device or a pipe: nothing to be moved there. Where /dev/stdout leads cannot be opened.
            with open(name, "wb") as device:
                yield device
            return
        target = Path(name).resolve()
        # A new file, with a name that nobody can foresee: in a shared directory, others may have laid links.
        handle, draft = tempfile.mkstemp(".new", f".{target.name}.", target.parent)
        try:
            with open(handle, "wb") as stream:
                yield stream
                stream.flush()
                os.fchmod(handle, 0o600 if private else _mode(target))
                os.fsync(handle)
            os.replace(draft, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft)
    except OSError as error:
        raise OperatorError(f"{name} cannot be written: {error.strerror}") from error


def write_keys(name: str, private: str, public: str, *, force: bool) -> None:
    """Write a private key to the file `name`, readable for its owner only, and the public one to `name`.pub.

    On standard output there is the private key only. Raises OperatorError when there is a file already.
    """
    public_name = f"{name}.pub"
    for taken in (name, public_name):
        if name != STANDARD and os.path.lexists(taken) and not force:
            raise OperatorError(
                f"{taken} exists already: choose another name, or replace the key in it with --force"
            )
    with open_output(name, private=True) as stream:
        stream.write(private.encode() + b"\n")
    if name != STANDARD:
        with open_output(public_name) as stream:
            stream.write(public.encode() + b"\n")


def _mode(target: Path) -> int:
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0o077)  # there is no other way to ask
        os.umask(mask)
        return 0o666 & ~mask
