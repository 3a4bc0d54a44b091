"""The parent of the worker processes: starts them, keeps them going, gives them orders, ends them.

    starting ──► all have reported ──► serving ──► stop ──► draining ──► deadline, or all ended
        └─ none of them could start: give up with the first one's reason

A worker lost while serving is started again, at once the first time, then after a delay that doubles as long
as it keeps being lost. Workers share nothing but the listening ports (SO_REUSEPORT) and files, so the loss of
one ends no tunnels but its own.
"""

import asyncio
import logging
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from headrace.base.errors import OperatorError
from headrace.server.stats.snapshot import Snapshot
from headrace.server.worker_link import Do, Done, Failed, Ready
from headrace.server.worker_slot import Process, Slot, Spawn, WorkerGone

__all__ = ["DRAIN", "Supervisor", "default_worker_count"]

_log = logging.getLogger(__name__)

#: Seconds the workers have to end once they were asked to.
DRAIN: Final = 30.0
#: Delay before a worker that was lost twice is started again, and the longest one. Once it has lasted for
#: HEALTHY seconds, its loss counts as the first.
FIRST_DELAY: Final = 1.0
LAST_DELAY: Final = 60.0
HEALTHY: Final = 60.0
#: Seconds that are waited for a worker's figures; after that its last ones do.
FIGURES: Final = 3.0


class Supervisor:
    """Keeps `count` workers going. `spawn` starts the worker with the given number.

    It is to tell the worker what `paused` holds at that moment.
    """

    def __init__(
        self,
        spawn: Spawn,
        count: int,
        *,
        announce: Callable[[str], None] = lambda text: None,
        drain: float = DRAIN,
    ) -> None:
        self.counts: Counter[str] = Counter()  #: of what happened to workers, named as in stats.names
        self.paused: set[str] = set()  #: why no new connections are taken; empty when they are
        self.slots = [Slot(index, self._became_ready) for index in range(count)]
        self._spawn = spawn
        self._announce = announce
        self._drain = drain
        self._past = Snapshot()  # what lost workers have counted
        self._reload_due: set[Slot] = set()
        self._shut_at_start: dict[int, frozenset[str]] = {}  # by the worker's number: what `spawn` told it
        self._decided = asyncio.Event()
        self._stopping = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Whether `stop` has been called."""
        return self._stopping.is_set()

    async def run(self) -> None:
        """Serve until `stop`. `announce` is told what the workers say when all of them have reported.

        Raises OperatorError if none can start.
        """
        if self.stopping:
            return  # else nobody would ever report
        keepers = [asyncio.create_task(self._keep(slot)) for slot in self.slots]
        try:
            await asyncio.gather(*(slot.reported.wait() for slot in self.slots))
            if not self.stopping:
                self._judge([slot.first_report for slot in self.slots])
            self._decided.set()
            await self._stopping.wait()
            await asyncio.wait(keepers, timeout=self._drain)
        finally:
            self._stopping.set()
            self._decided.set()
            self._signal_all(signal.SIGKILL)
            await asyncio.gather(*keepers)

    def stop(self) -> None:
        """End the workers, politely the first time."""
        self._signal_all(signal.SIGKILL if self.stopping else signal.SIGTERM)
        self._stopping.set()

    # ---- orders and figures ---------------------------------------------------------------------------

    async def reload(self) -> dict[int, str]:
        """Have the workers read their files again; return for each what was wrong, "" where nothing was.

        One that is about to start does so once it is ready, and is not waited for.
        """
        self._reload_due.update(slot for slot in self.slots if not slot.ready)
        asked = {slot.index: slot.order(Do.RELOAD) for slot in self.slots if slot.ready}
        return {index: await _outcome(answer) for index, answer in asked.items()}

    def pause(self, reason: str) -> None:
        """Have no worker take new connections until every reason for it is gone."""
        self.paused.add(reason)
        self._order_all(Do.PAUSE, reason)

    def resume(self, reason: str) -> None:
        """Give up a reason to take no new connections."""
        self.paused.discard(reason)
        self._order_all(Do.RESUME, reason)

    async def snapshot(self) -> Snapshot:
        """Return the figures of all workers together, and of those that are no more."""
        await asyncio.gather(*(slot.refresh(FIGURES) for slot in self.slots if slot.ready))
        return self.last_snapshot

    @property
    def last_snapshot(self) -> Snapshot:
        """The figures as they are known already, some seconds old at most."""
        own = self._past + Snapshot(counts=dict(self.counts))
        return sum((slot.figures for slot in self.slots), own)

    def _order_all(self, do: Do, reason: str) -> None:
        for slot in self.slots:
            if slot.ready:
                slot.order(do, reason)

    def _signal_all(self, number: int) -> None:
        for slot in self.slots:
            slot.send_signal(number)

    def _became_ready(self, slot: Slot) -> None:
        if slot.losses:
            seconds = round(asyncio.get_running_loop().time() - slot.since, 3)
            _log.info("a worker is back", extra={"worker": slot.index, "started_in": seconds})
        for reason in sorted(self.paused):
            slot.order(Do.PAUSE, reason)
        for reason in sorted(self._shut_at_start[slot.index] - self.paused):
            slot.order(Do.RESUME, reason)  # nobody could tell it while it started
        if slot in self._reload_due:
            self._reload_due.discard(slot)
            slot.order(Do.RELOAD).add_done_callback(partial(_tell_late, slot.index))

    def _judge(self, reports: Sequence[Ready | Failed]) -> None:
        ready = [report for report in reports if isinstance(report, Ready)]
        failed = [report for report in reports if isinstance(report, Failed)]
        if not ready:
            raise OperatorError(failed[0].text, failed[0].exit_code)
        for failure in failed:
            _log.error("a worker cannot start", extra={"reason": failure.text})
        self._announce(ready[0].text)

    # ---- one worker -----------------------------------------------------------------------------------

    async def _keep(self, slot: Slot) -> None:
        loop = asyncio.get_running_loop()
        delay = 0.0
        while not self.stopping:
            started = loop.time()
            again = slot.reported.is_set()
            code, outcome = await slot.run(self._start)
            if again and isinstance(outcome, Failed) and not self.stopping:
                _log.error("a worker cannot start", extra={"reason": outcome.text})
            await self._decided.wait()  # if nobody can start, nobody is to try again
            if self.stopping:
                return
            if loop.time() - started >= HEALTHY:
                delay = 0.0
            self._count_loss(slot, code, delay)
            await self._pause_before_restart(delay)
            delay = min(max(delay * 2, FIRST_DELAY), LAST_DELAY)

    async def _start(self, index: int) -> Process:
        self._shut_at_start[index] = frozenset(self.paused)
        process = await self._spawn(index)
        if self.stopping:
            process.send_signal(signal.SIGTERM)
        return process

    def _count_loss(self, slot: Slot, code: int, delay: float) -> None:
        slot.losses += 1
        self._past += slot.figures.past
        slot.figures = Snapshot()
        self.counts["lost.hung" if slot.hung else "lost.killed" if code < 0 else "lost.ended"] += 1
        _log.warning("lost a worker", extra={"worker": slot.index, "exit_code": code, "restart_in": delay})

    async def _pause_before_restart(self, delay: float) -> None:
        try:
            async with asyncio.timeout(delay):
                await self._stopping.wait()
        except TimeoutError:
            return


async def _outcome(answer: Awaitable[Done]) -> str:
    try:
        return (await answer).error
    except WorkerGone:
        return "the worker has ended; the next one reads its files anyway"


def _tell_late(index: int, answer: asyncio.Future[Done]) -> None:
    """Log what was wrong in a reload that nobody has waited for."""
    if not answer.cancelled() and answer.exception() is None and (error := answer.result().error):
        _log.error("not reloaded, the old state stays", extra={"workers": [index], "reason": error})


def default_worker_count() -> int:
    """Return one per processor that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
