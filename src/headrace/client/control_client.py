"""The other end of the control socket: asking a client that runs on this machine, with blocking calls."""

import time
from collections.abc import Iterator

from headrace.base.errors import NetworkError
from headrace.client.control_messages import Command
from headrace.client.control_place import places
from headrace.client.status import Status
from headrace.establishment.journal import Record
from headrace.net.line_caller import LineCaller, call

__all__ = ["RunningClient", "find"]


def find(name: str) -> "RunningClient | None":
    """Return a connection to the client of this name, None if none runs. Raises NetworkError."""
    for place in places(name):
        if place.is_ours() and (connection := call(place.socket, RunningClient.whom)) is not None:
            return RunningClient(connection)
    return None


class RunningClient(LineCaller):
    """A connection to a client. Raises NetworkError when it breaks, DocumentError on nonsense."""

    whom = "the client"

    def status(self) -> Status:
        """Ask how it is."""
        self._command(Command.STATUS)
        return Status.from_json(self.answer())

    def explain(self) -> Record | None:
        """Ask for the record of its last establishment, None if there was none yet."""
        self._command(Command.EXPLAIN)
        answer = self.answer()
        return None if answer == b"null" else Record.from_json(answer)

    def watch(self, timeout: float | None = None) -> Iterator[Status]:
        """Yield how it is whenever that has changed, until it ends.

        Nothing else can be asked on this connection. Raises TimeoutError after `timeout` seconds.
        """
        self._command(Command.WATCH)
        until = None if timeout is None else time.monotonic() + timeout
        while line := self.line(until):
            yield Status.from_json(line)

    def stop(self, timeout: float) -> bool:
        """Have it end in an orderly way; say whether it has within so many seconds."""
        self._command(Command.STOP)
        until = time.monotonic() + timeout
        try:
            self.answer()
            while self.line(until):
                pass
        except TimeoutError:
            return False
        except NetworkError:
            pass  # it was about to end anyway
        return self.has_ended(until)

    def _command(self, command: Command) -> None:
        self.ask(b'{"command":"%s"}' % command.value.encode())
