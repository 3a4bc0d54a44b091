"""A worker's door: whether new connections are taken, and why not.

While there is any reason to take none, the ports are closed. A connection that is accepted only to be closed
would tell a prober that something lives here, and what it does with a stranger; a closed port is a service
that is not running. Clients hear of it at once and go to another server, and other workers of this one, whose
ports are open, get what comes.
"""

import asyncio
import logging
from collections import Counter
from typing import Final

from headrace.base.errors import OperatorError
from headrace.net.listener import RELIEF, Listener
from headrace.server.load.accept_rate import AcceptRate
from headrace.server.load.descriptors import Descriptors

__all__ = ["DESCRIPTORS", "Door"]

_log = logging.getLogger(__name__)

#: The reason that is a lack of file descriptors, and that a port could not be had when no other was left.
DESCRIPTORS: Final = "descriptors"
PORT: Final = "port"


class Door:
    """The keeper of its `listeners`, for as many as there are."""

    def __init__(self, rate: AcceptRate, descriptors: Descriptors, counts: Counter[str]) -> None:
        self.listeners: list[Listener] = []
        self.reasons: set[str] = set()  #: why nobody is let in; empty when they are
        self._rate = rate
        self._descriptors = descriptors
        self._counts = counts

    def pause(self, reason: str) -> None:
        """Let nobody in until every reason for it is gone."""
        if not self.reasons:
            for listener in self.listeners:
                # Who waits in the system's queue would cost descriptors that those inside may need.
                listener.close() if reason == DESCRIPTORS else listener.shut()
        if reason not in self.reasons:
            self.reasons.add(reason)
            self._counts[f"paused.{reason}"] += 1
            _log.info("no new connections", extra={"reason": reason})

    def resume(self, reason: str) -> None:
        """Give up one reason, and let people in again if it was the last.

        If a port cannot be had then, that is a reason by itself: nobody gives up another one twice.
        """
        if reason not in self.reasons:
            return
        self.reasons.discard(reason)
        if self.reasons:
            return
        try:
            for listener in self.listeners:
                listener.open()
        except OperatorError as error:
            for listener in self.listeners:
                listener.close()
            self.reasons.add(PORT)
            if reason != PORT:  # else it has been told
                self._counts[f"paused.{PORT}"] += 1
                _log.error("still no new connections", extra={"reason": str(error)})
            return
        _log.info("new connections again")

    def close(self) -> None:
        """Let nobody in any more."""
        self.reasons.add("stopping")
        for listener in self.listeners:
            listener.close()

    def look(self) -> None:
        """See now and then whether there are descriptors again, or a port that could not be had."""
        self.resume(PORT)
        if DESCRIPTORS in self.reasons and self._descriptors.relieved():
            self.resume(DESCRIPTORS)

    # ---- what the listeners ask -----------------------------------------------------------------------

    def wait(self) -> float:
        """Return how many seconds to wait before the next connection is taken."""
        if self._descriptors.spent():
            self.short()
            return RELIEF
        return self._rate.wait(asyncio.get_running_loop().time())

    def taken(self) -> None:
        """A connection was taken."""
        self._rate.taken()

    def short(self) -> None:
        """The system gives us no more connections: what it still gives is for those who are inside."""
        asyncio.get_running_loop().call_soon(self.pause, DESCRIPTORS)
