"""A client that other programs can ask and end: board, journal and control socket, wired to one that runs."""

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from headrace.base.clock import SYSTEM_CLOCK, Clock
from headrace.base.errors import OperatorError
from headrace.client.control import Control
from headrace.client.control_place import ControlPlace
from headrace.client.journal_file import JournalFile
from headrace.client.notices import Notices
from headrace.client.status import StatusBoard
from headrace.establishment.journal import Journal

__all__ = ["attended"]


@contextlib.asynccontextmanager
async def attended(
    place: ControlPlace,
    notices: Notices,
    journal: Journal,
    stop: Callable[[], None],
    *,
    data: Path | None,
    address: str,
    clock: Clock = SYSTEM_CLOCK,
) -> AsyncIterator[None]:
    """Answer at `place`, whose name is held, during the block; `stop` begins the client's orderly end.

    The journal is kept in the directory `data`, beside the socket if there is none. `address` is where the
    local proxies listen. Raises OperatorError when there can be no socket.
    """
    board = StatusBoard(clock, address=address, process=os.getpid())
    notices.listen(board.hear)
    place.remember_data(data or place.directory)
    file = JournalFile(data) if data is not None else JournalFile(place.directory, place.name)
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(Control(board, journal, stop, clock).listening(place))
        except OSError as error:
            raise OperatorError(
                f"the control socket {place.socket} cannot be made: {error.strerror}"
            ) from error
        await stack.enter_async_context(file.following(journal, clock))
        yield
