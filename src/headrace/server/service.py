"""A server as a whole: the supervisor of its workers, and all that is done once for all of them.

    signals            SIGTERM, SIGINT: drain, the second time end at once   SIGHUP, SIGUSR1: reload
                       SIGTSTP: take no new connections   SIGCONT: take them again   SIGUSR2: log the load
    service manager    is told when the server is ready, reloads, ends, and that it is alive
    control socket     answers `headrace server status` and the like

What goes on beside the workers may fail without harm to them: that is logged, and they serve on.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import headrace
from headrace.server.sd_notify import Notifier
from headrace.server.status import ServerStatus, State, WorkerStatus, by_protocol
from headrace.server.supervisor import Supervisor
from headrace.server.worker_process import WorkerProcess

__all__ = ["OPERATOR", "Duty", "Service"]

_log = logging.getLogger(__name__)

#: Why no new connections are taken when a person has said so.
OPERATOR: Final = "operator"
#: Seconds the workers have, beyond those they give to tunnels, until they are ended.
MARGIN: Final = 5.0

Duty = Callable[["Service"], Coroutine[Any, Any, None]]


class Service:
    """Runs `count` workers until SIGTERM or SIGINT; `command` is a worker's command line.

    It is followed by why no new connections are taken at the moment, in words.

    Tunnels have `drain` seconds to end by themselves. `duties` are carried out meanwhile.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        *,
        drain: float,
        announce: Callable[[str], None] = lambda text: None,
        duties: Sequence[Duty] = (),
        notifier: Notifier | None = None,
    ) -> None:
        self._drain = drain
        self._announce = announce
        self._duties = duties
        self._notifier = notifier or Notifier()
        self.load_wanted = asyncio.Event()  #: set when the load is to be told now
        self._started = 0.0
        self._announced = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.supervisor = Supervisor(
            lambda index: WorkerProcess.start([*command, *sorted(self.supervisor.paused)]),
            count,
            announce=self._ready,
            drain=drain + MARGIN,
        )

    async def run(self) -> None:
        """Serve. Raises OperatorError if no worker can start."""
        loop = asyncio.get_running_loop()
        self._started = loop.time()
        handlers: dict[int, Callable[[], object]] = {
            signal.SIGHUP: lambda: self._spawn(self._reload()),
            signal.SIGUSR1: lambda: self._spawn(self._reload()),
            signal.SIGTSTP: lambda: self.supervisor.pause(OPERATOR),
            signal.SIGCONT: lambda: self.supervisor.resume(OPERATOR),
            signal.SIGUSR2: self.load_wanted.set,
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        for duty in self._duties:
            self._spawn(self._carry_out(duty))
        try:
            await self.supervisor.run()
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def reload(self) -> dict[int, str]:
        """Have the files read again; return for each worker what was wrong, "" where nothing was."""
        if self._serving:  # else the service manager would take the end of a reload for that of the start
            self._notifier.reloading()
        outcome = await self.supervisor.reload()
        failed = {index: error for index, error in outcome.items() if error}
        for error in dict.fromkeys(failed.values()):
            workers = [index for index, other in failed.items() if other == error]
            _log.error("not reloaded, the old state stays", extra={"workers": workers, "reason": error})
        if len(failed) < len(outcome):
            _log.info("reloaded", extra={"workers": len(outcome) - len(failed)})
        if self._serving:
            self._notifier.ready("not reloaded, the old state stays: see the log" if failed else "serving")
        return outcome

    async def _reload(self) -> None:
        await self.reload()

    async def status(self) -> ServerStatus:
        """Return how the server is now."""
        figures = await self.supervisor.snapshot()
        now = asyncio.get_running_loop().time()
        return ServerStatus(
            version=headrace.__version__,
            process=os.getpid(),
            state=self._state,
            seconds=now - self._started,
            paused=sorted(self.supervisor.paused),
            workers=[
                WorkerStatus(
                    process=slot.process.id if slot.process else 0,
                    ready=slot.ready,
                    seconds=now - slot.since,
                    losses=slot.losses,
                )
                for slot in self.supervisor.slots
            ],
            figures=by_protocol(figures),
        )

    @property
    def _state(self) -> State:
        if self.supervisor.stopping:
            return State.DRAINING
        if not any(slot.ready for slot in self.supervisor.slots):
            return State.STARTING
        return State.PAUSED if self.supervisor.paused else State.SERVING

    @property
    def _serving(self) -> bool:
        return self._announced and not self.supervisor.stopping

    def _ready(self, text: str) -> None:
        self._announced = True
        self._announce(text)
        self._notifier.ready("serving")
        if self._notifier.watchdog:
            self._spawn(self._show_life())

    def _stop(self) -> None:
        self._notifier.stopping(self._drain + MARGIN)
        self.supervisor.stop()

    async def _show_life(self) -> None:
        """Tell the service manager that the server is alive, as long as one of its workers is."""
        while True:
            if any(slot.ready for slot in self.supervisor.slots):
                self._notifier.alive()
            await asyncio.sleep(self._notifier.watchdog)

    async def _carry_out(self, duty: Duty) -> None:
        try:
            await duty(self)
        except Exception:
            _log.exception("something beside the workers has failed; they serve on")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
