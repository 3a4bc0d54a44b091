"""The server's control socket: who looks after the server asks how it is, and has it reload or drain."""

import asyncio
import logging
from pathlib import Path

from headrace.base.errors import OperatorError
from headrace.net.line_server import Caller, LineServer
from headrace.net.unix_socket import unix_socket
from headrace.server.control_messages import MAX_REQUEST, Command, Reloaded, read_request
from headrace.server.service import OPERATOR, Service

__all__ = ["answer_questions"]

_log = logging.getLogger(__name__)


async def answer_questions(service: Service, path: Path) -> None:
    """Answer at a path, without an end. A server that cannot be asked serves all the same."""

    async def serve(caller: Caller) -> None:
        while True:
            match read_request(await caller.question()).command:
                case Command.STATUS:
                    await caller.send(await service.status())
                case Command.DRAIN:
                    service.supervisor.pause(OPERATOR)
                    await caller.send(await service.status())
                case Command.RESUME:
                    service.supervisor.resume(OPERATOR)
                    await caller.send(await service.status())
                case Command.RELOAD:
                    await caller.send(Reloaded(await service.reload()))

    try:
        with unix_socket(str(path), what="the control socket") as listener:
            async with LineServer(serve, longest=MAX_REQUEST).answering(listener):
                await asyncio.get_running_loop().create_future()
    except OperatorError as error:
        _log.warning("nobody can ask this server how it is", extra={"reason": str(error)})
