"""The other end of a server's control socket, with blocking calls."""

from pathlib import Path
from typing import Final

from headrace.net.line_caller import LineCaller, call
from headrace.server.control_messages import CONTROL_SOCKET, Command, Reloaded
from headrace.server.status import ServerStatus

__all__ = ["RunningServer", "find_server"]

#: Seconds that reading the files may take; databases of countries and block lists are large.
RELOAD_PATIENCE: Final = 300.0


def find_server(data_directory: Path) -> "RunningServer | None":
    """Return a connection to the server with these data, None if none runs. Raises NetworkError."""
    connection = call(data_directory / CONTROL_SOCKET, RunningServer.whom)
    return None if connection is None else RunningServer(connection)


class RunningServer(LineCaller):
    """A connection to a server. Raises NetworkError when it breaks, DocumentError on nonsense."""

    whom = "the server"

    def status(self) -> ServerStatus:
        """Ask how it is."""
        return self._status_after(Command.STATUS)

    def drain(self) -> ServerStatus:
        """Have it take no new tunnels; return how it is then."""
        return self._status_after(Command.DRAIN)

    def resume(self) -> ServerStatus:
        """Have it take new tunnels again; return how it is then."""
        return self._status_after(Command.RESUME)

    def reload(self) -> dict[int, str]:
        """Have it read its files again; return for each worker what was wrong, "" where nothing was."""
        self._command(Command.RELOAD)
        return Reloaded.from_json(self.answer(RELOAD_PATIENCE)).workers

    def _status_after(self, command: Command) -> ServerStatus:
        self._command(command)
        return ServerStatus.from_json(self.answer())

    def _command(self, command: Command) -> None:
        self.ask(b'{"command":"%s"}' % command.value.encode())
