"""What is said on a server's control socket: a line of JSON each way.

{"command": "status"}    a ServerStatus
{"command": "drain"}     takes no new tunnels from then on; a ServerStatus
{"command": "resume"}    takes them again, unless there is another reason not to; a ServerStatus
{"command": "reload"}    reads its files again; a Reloaded once that is done

{"error": "..."}         the answer to anything else
"""

from enum import StrEnum
from typing import Final

import msgspec

from headrace.base.errors import DocumentError

__all__ = ["CONTROL_SOCKET", "MAX_REQUEST", "Command", "Reloaded", "Request", "read_request"]

CONTROL_SOCKET: Final = "control.socket"
"""The socket's name in the data directory."""

MAX_REQUEST: Final = 1024
"""Bytes in a request, with the end of its line."""


class Command(StrEnum):
    """What can be asked for."""

    STATUS = "status"
    DRAIN = "drain"
    RESUME = "resume"
    RELOAD = "reload"


class Request(msgspec.Struct, frozen=True):
    """A line to a server."""

    command: Command


class Reloaded(msgspec.Struct, frozen=True):
    """What came of a reload: for each worker what was wrong, "" where nothing was."""

    workers: dict[int, str]

    @classmethod
    def from_json(cls, data: bytes) -> "Reloaded":
        """Read one. Raises DocumentError."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise DocumentError("what the server says of its reload makes no sense") from error


def read_request(line: bytes) -> Request:
    """Read a request. Raises DocumentError, whose text is for whoever sent it."""
    try:
        return msgspec.json.decode(line, type=Request)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"a request is a JSON object with a command: {', '.join(Command)}") from error
