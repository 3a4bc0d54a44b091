"""What is said on the control socket."""

import pytest

from headrace.base.errors import DocumentError
from headrace.client.control_messages import Command, Request, read_request


@pytest.mark.parametrize("command", list(Command))
def test_requests(command: Command) -> None:
    assert read_request(b'{"command":"%s"}\n' % command.value.encode()) == Request(command)


def test_a_request_may_say_more() -> None:
    assert read_request(b' {"colour": [1], "command": "stop"} ') == Request(Command.STOP)


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"status\n", b"{}", b'{"command":"explode"}', b'{"command":1}', b"\xff", b"[" * 1000],
)
def test_what_is_no_request(line: bytes) -> None:
    with pytest.raises(DocumentError, match="status, watch, explain, stop"):
        read_request(line)


def test_a_request_is_short() -> None:
    with pytest.raises(DocumentError, match="shorter"):
        read_request(b'{"command":"status"}' + b" " * 1024)
