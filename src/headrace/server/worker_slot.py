"""The place of one worker, whichever process fills it at the moment: its orders, figures, signs of life."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec

from headrace.server.stats.snapshot import Snapshot
from headrace.server.worker_link import Do, Done, Failed, Order, Ready, parse_report

__all__ = ["PULSE", "Process", "Slot", "Spawn", "WorkerGone"]

_log = logging.getLogger(__name__)

#: Seconds a worker has to say that it is ready.
START_TIMEOUT: Final = 30.0
#: Seconds between two questions whether a worker is alive, and those it has for an answer.
PULSE: Final = 5.0
PATIENCE: Final = 30.0


class WorkerGone(Exception):
    """The worker ended before it had answered."""


class Process(Protocol):
    """A running worker process."""

    @property
    def id(self) -> int:
        """The system's number for it."""
        ...

    async def read_line(self) -> bytes:
        """Return the next line the worker wrote, b"" once there are no more."""
        ...

    def write_line(self, line: bytes) -> None:
        """Write a line to the worker; nothing happens when it has ended."""
        ...

    async def wait(self) -> int:
        """Return the exit code; a negative one is the signal that ended the process."""
        ...

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing happens when the process has ended."""
        ...


Spawn = Callable[[int], Awaitable[Process]]


class Slot:
    """Runs worker number `index`, one process after the other; `became_ready` is called for each."""

    def __init__(self, index: int, became_ready: "Callable[[Slot], None]") -> None:
        self.index = index
        self.process: Process | None = None
        self.ready = False
        self.hung = False  #: the last process was ended because it gave no answer
        self.losses = 0
        self.since = 0.0  #: when the process was started, or lost
        self.figures = Snapshot()  #: the last it has told
        self.reported = asyncio.Event()
        self.first_report: Ready | Failed = Failed()  #: what the first process said, once it has `reported`
        self._became_ready = became_ready
        self._number = 0
        self._answers: dict[int, asyncio.Future[Done]] = {}

    def send_signal(self, number: int) -> None:
        """Send a signal to the process, if there is one."""
        if self.process is not None:
            self.process.send_signal(number)

    def order(self, do: Do, reason: str = "") -> "asyncio.Future[Done]":
        """Give an order; the answer fails with WorkerGone when the process ends before it comes."""
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        if self.process is None:
            self._give_up_answers()
        else:
            self.process.write_line(msgspec.json.encode(Order(do, self._number, reason)))
        return answer

    async def refresh(self, patience: float) -> bool:
        """Have the figures be those of now; return False if the worker gives no answer in time."""
        try:
            async with asyncio.timeout(patience):
                await self.order(Do.SNAPSHOT)
        except WorkerGone:
            pass
        except TimeoutError:
            return False
        return True

    # ---- one process, from start to end ---------------------------------------------------------------

    async def run(self, spawn: Spawn) -> tuple[int, Ready | Failed]:
        """Run a process; return its exit code and what it reported, or should have."""
        self.since = asyncio.get_running_loop().time()
        self.hung = False
        try:
            self.process = process = await spawn(self.index)
        except OSError as error:
            return 1, self._reported(Failed(f"a worker process cannot be started: {error.strerror}", 1))
        watch: asyncio.Task[None] | None = None
        try:
            report = await self._first_word(process)
            if isinstance(report, Ready):
                self.ready = True
                self._reported(report)
                watch = asyncio.create_task(self._watch())
                self._became_ready(self)
            while line := await process.read_line():
                self._hear(line)
            code = await process.wait()
        finally:
            self.process, self.ready = None, False
            self.since = asyncio.get_running_loop().time()
            self._give_up_answers()
            if watch is not None:
                watch.cancel()
        return code, self._reported(report or Failed(_how_it_ended(code), code if code > 0 else 1))

    def _reported(self, report: Ready | Failed) -> Ready | Failed:
        if not self.reported.is_set():
            self.first_report = report
            self.reported.set()
        return report

    async def _first_word(self, process: Process) -> Ready | Failed | None:
        """Return what the worker says first, None if it ends without a word. It has only so much time."""
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while line := await process.read_line():
                    if isinstance(report := parse_report(line), Ready | Failed):
                        return report
        except TimeoutError:
            process.send_signal(signal.SIGKILL)
        return None

    def _hear(self, line: bytes) -> None:
        report = parse_report(line)
        if not isinstance(report, Done):
            return
        if report.snapshot is not None:
            self.figures = report.snapshot
        answer = self._answers.pop(report.number, None)
        if answer is not None and not answer.done():
            answer.set_result(report)

    def _give_up_answers(self) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(WorkerGone())
                answer.exception()  # whether or not anybody waits for it
        self._answers.clear()

    async def _watch(self) -> None:
        """Ask again and again how the worker is; end it when it does not say."""
        while True:
            await asyncio.sleep(PULSE)
            if not await self.refresh(PATIENCE):
                break
        _log.error("a worker does not answer any more", extra={"worker": self.index})
        self.hung = True
        self.send_signal(signal.SIGKILL)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"a worker process ended with exit code {code} before it was ready; its log says why"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal has no name
        name = f"signal {-code}"
    return f"a worker process was ended by {name} before it was ready"
