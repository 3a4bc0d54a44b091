"""Lines that other programs on the machine send to a running client, and what a client's commands are sent.

Invariant: a line is a request or refused, an answer is a status or refused, with DocumentError and no other
error; and a status can be shown.
"""

from headrace.base.errors import DocumentError
from headrace.cli.status_view import headline, progress_line, table
from headrace.client.control_messages import MAX_REQUEST, Command, read_request
from headrace.client.status import Status
from headrace.net.line_server import read_refusal

SEEDS = [
    b'{"command":"status"}\n',
    b'{"command":"watch","more":[1,{}]}',
    b'{"error":"no"}\n',
    b'{"state":"connected","since":1.5,"seconds":2,"ports":{"socks":1080},"attemptRegions":{"NL":3}}',
]


def fuzz(data: bytes) -> None:
    try:
        request = read_request(data)
    except DocumentError:
        pass
    else:
        assert len(data) <= MAX_REQUEST
        assert request.command in Command
    assert isinstance(read_refusal(data), str)
    try:
        status = Status.from_json(data)
    except DocumentError:
        return
    headline(status)
    table(status)
    progress_line(status)
