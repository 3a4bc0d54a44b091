"""The parent of the worker processes: starts them, keeps them going, ends them.

    starting ──► all have reported ──► serving ──► SIGTERM ──► draining ──► deadline, or all ended
        └─ none of them could start: give up with the first one's reason

A worker lost while serving is started again, after a delay that doubles as long as it keeps being lost.
Workers share nothing but the listening ports (SO_REUSEPORT) and files, so the loss of one ends no tunnels but
its own.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from headrace.base.errors import OperatorError
from headrace.server.worker_link import Failed, Ready, Report, parse_report

__all__ = ["Process", "Supervisor", "default_worker_count", "run_workers"]

_log = logging.getLogger(__name__)

#: Seconds a worker has to say that it is ready, and to end once it was asked to.
START_TIMEOUT: Final = 30.0
DRAIN: Final = 30.0
#: Delay before a lost worker is started again, and the longest one. After HEALTHY seconds it begins anew.
FIRST_DELAY: Final = 1.0
LAST_DELAY: Final = 60.0
HEALTHY: Final = 60.0


class Process(Protocol):
    """A running worker process."""

    async def read_line(self) -> bytes:
        """Return the next line the worker wrote, b"" once there are no more."""
        ...

    async def wait(self) -> int:
        """Return the exit code; a negative one is the signal that ended the process."""
        ...

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing happens when the process has ended."""
        ...


Spawn = Callable[[int], Awaitable[Process]]


class _Slot:
    """The place of one worker, whichever process fills it at the moment."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.process: Process | None = None
        self.ready = False
        self.reload_due = False
        self.first_report: asyncio.Future[Report] = asyncio.get_running_loop().create_future()

    def send_signal(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)


class Supervisor:
    """Keeps `count` workers going. `spawn` starts the worker with the given number."""

    def __init__(
        self,
        spawn: Spawn,
        count: int,
        *,
        announce: Callable[[str], None] = lambda text: None,
        drain: float = DRAIN,
    ) -> None:
        self.losses = 0  #: workers that ended without having been asked to
        self._spawn = spawn
        self._announce = announce
        self._drain = drain
        self._slots = [_Slot(index) for index in range(count)]
        self._decided = asyncio.Event()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Serve until `stop`. `announce` is told what the workers say when all of them have reported.

        Raises OperatorError if none can start.
        """
        keepers = [asyncio.create_task(self._keep(slot)) for slot in self._slots]
        try:
            reports = await asyncio.gather(*(slot.first_report for slot in self._slots))
            if not self._stopping.is_set():
                self._judge(reports)
            self._decided.set()
            await self._stopping.wait()
            await asyncio.wait(keepers, timeout=self._drain)
        finally:
            self._stopping.set()
            self._decided.set()
            self._signal_all(signal.SIGKILL)
            await asyncio.gather(*keepers)

    def reload(self) -> None:
        """Have the workers read their files again."""
        for slot in self._slots:
            # Before it is ready a worker may not have a handler yet, and the signal would end it.
            slot.reload_due = not slot.ready
            if slot.ready:
                slot.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End the workers, politely the first time."""
        self._signal_all(signal.SIGKILL if self._stopping.is_set() else signal.SIGTERM)
        self._stopping.set()

    def _signal_all(self, number: int) -> None:
        for slot in self._slots:
            slot.send_signal(number)

    def _judge(self, reports: Sequence[Report]) -> None:
        ready = [report for report in reports if isinstance(report, Ready)]
        failed = [report for report in reports if isinstance(report, Failed)]
        if not ready:
            raise OperatorError(failed[0].text, failed[0].exit_code)
        for failure in failed:
            _log.error("a worker cannot start", extra={"reason": failure.text})
        self._announce(ready[0].text)

    # ---- one worker -----------------------------------------------------------------------------------

    async def _keep(self, slot: _Slot) -> None:
        loop = asyncio.get_running_loop()
        delay = FIRST_DELAY
        while not self._stopping.is_set():
            started = loop.time()
            code, outcome = await self._run_once(slot)
            if not slot.first_report.done():
                slot.first_report.set_result(outcome)
            elif isinstance(outcome, Failed) and not self._stopping.is_set():
                _log.error("a worker cannot start", extra={"reason": outcome.text})
            await self._decided.wait()  # if nobody can start, nobody is to try again
            if self._stopping.is_set():
                return
            self.losses += 1
            if loop.time() - started >= HEALTHY:
                delay = FIRST_DELAY
            _log.warning(
                "lost a worker", extra={"worker": slot.index, "exit_code": code, "restart_in": delay}
            )
            await self._pause(delay)
            delay = min(delay * 2, LAST_DELAY)

    async def _run_once(self, slot: _Slot) -> tuple[int, Report]:
        """Run a worker from start to end; return its exit code and what it reported, or should have."""
        try:
            slot.process = process = await self._spawn(slot.index)
        except OSError as error:
            return 1, Failed(f"a worker process cannot be started: {error.strerror}", 1)
        if self._stopping.is_set():
            process.send_signal(signal.SIGTERM)
        try:
            report = await self._first_report(process)
            if isinstance(report, Ready):
                self._became_ready(slot, report)
            while await process.read_line():
                pass
            code = await process.wait()
        finally:
            slot.process, slot.ready = None, False
        if isinstance(report, Ready):
            return code, report
        text = report.text if report is not None else _how_it_ended(code)
        return code, Failed(text, code if code > 0 else 1)

    def _became_ready(self, slot: _Slot, report: Ready) -> None:
        slot.ready = True
        if not slot.first_report.done():
            slot.first_report.set_result(report)
        if slot.reload_due:
            slot.send_signal(signal.SIGHUP)
            slot.reload_due = False

    async def _first_report(self, process: Process) -> Report | None:
        """Return what the worker says first, None if it ends without a word. It has only so much time."""
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while line := await process.read_line():
                    if report := parse_report(line):
                        return report
        except TimeoutError:
            process.send_signal(signal.SIGKILL)
        return None

    async def _pause(self, delay: float) -> None:
        try:
            async with asyncio.timeout(delay):
                await self._stopping.wait()
        except TimeoutError:
            return


def default_worker_count() -> int:
    """Return one per processor that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"a worker process ended with exit code {code} before it was ready; its log says why"
    return f"a worker process was ended by {signal.Signals(-code).name} before it was ready"


# ---- real processes and signals ---------------------------------------------------------------------------


class _ChildProcess:
    """A worker as a child of this process, in a session of its own: a terminal's Ctrl-C is for us alone."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, command: Sequence[str]) -> "_ChildProcess":
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, start_new_session=True)
        )

    async def read_line(self) -> bytes:
        assert self._process.stdout is not None
        try:
            return await self._process.stdout.readline()
        except ValueError:  # too long for a line of ours; it has been thrown away
            return b"\n"

    async def wait(self) -> int:
        return await self._process.wait()

    def send_signal(self, number: int) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)


async def run_workers(
    command: Callable[[int], Sequence[str]],
    count: int,
    *,
    announce: Callable[[str], None] = lambda text: None,
    drain: float = DRAIN,
) -> None:
    """Run `count` workers until SIGTERM or SIGINT; `command` gives each one's command line.

    SIGHUP goes to the workers. A second SIGTERM or SIGINT ends them at once. Raises OperatorError if none can
    start.
    """
    supervisor = Supervisor(
        lambda index: _ChildProcess.start(command(index)), count, announce=announce, drain=drain
    )
    loop = asyncio.get_running_loop()
    handlers = {
        signal.SIGHUP: supervisor.reload,
        signal.SIGTERM: supervisor.stop,
        signal.SIGINT: supervisor.stop,
    }
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        await supervisor.run()
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)
