"""What is said on the control socket: a line of JSON each way.

{"command": "status"}    a Status
{"command": "watch"}     a Status now, and another whenever something has changed
{"command": "explain"}   the journal's Record, null if there is none yet
{"command": "stop"}      a Status; the client ends after it

{"error": "..."}         the answer to anything else
"""

import enum
from typing import Final

import msgspec

from headrace.base.errors import DocumentError

__all__ = ["MAX_REQUEST", "Command", "Request", "read_request"]

MAX_REQUEST: Final = 1024
"""Bytes in a request, with the end of its line."""


class Command(enum.Enum):
    """What can be asked for."""

    STATUS = "status"
    WATCH = "watch"
    EXPLAIN = "explain"
    STOP = "stop"


class Request(msgspec.Struct, frozen=True):
    """A line to a client."""

    command: Command


def read_request(line: bytes) -> Request:
    """Read a request. Raises DocumentError, whose text is for whoever sent it."""
    if len(line) > MAX_REQUEST:
        raise DocumentError("a request is shorter than that")
    try:
        return msgspec.json.decode(line, type=Request)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        commands = ", ".join(command.value for command in Command)
        raise DocumentError(f"a request is a JSON object with a command: {commands}") from error
