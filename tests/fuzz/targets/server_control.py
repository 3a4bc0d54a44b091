"""Lines that other programs on the machine send to a running server, and what a server's commands are sent.

Invariant: a line is a request or refused, an answer is a status, an outcome or refused, with DocumentError
and no other error; and a status can be shown.
"""

from headrace.base.errors import DocumentError
from headrace.cli.server_view import headline, table
from headrace.server.control_messages import Command, Reloaded, read_request
from headrace.server.status import ServerStatus

SEEDS = [
    b'{"command":"status"}\n',
    b'{"command":"reload","more":[1,{}]}',
    b'{"workers":{"0":"","1":"rules: not JSON"}}',
    b'{"version":"1","process":2,"state":"serving","seconds":1.5,"figures":{"counts":{"lost.hung":1}}}',
    b'{"workers":[{"process":3,"ready":true,"seconds":1,"losses":2}],"version":"","process":0,"state":"paused"}',
]


def fuzz(data: bytes) -> None:
    try:
        assert read_request(data).command in Command
    except DocumentError:
        pass
    try:
        assert isinstance(Reloaded.from_json(data).workers, dict)
    except DocumentError:
        pass
    try:
        status = ServerStatus.from_json(data)
    except DocumentError:
        return
    headline(status)
    table(status)
