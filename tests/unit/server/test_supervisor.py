"""The parent of the workers: whole lives on virtual time with scripted workers, then real processes."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress

import msgspec
import pytest

from headrace.base.errors import OperatorError
from headrace.server.stats.snapshot import Snapshot
from headrace.server.supervisor import Supervisor, default_worker_count
from headrace.server.worker_link import Do, Done, Failed, Order, Ready, Report
from headrace.server.worker_process import WorkerProcess
from headrace.testing.virtual_time import run

READY = Ready("OSSH on port 53")


def encoded(report: Report) -> bytes:
    return msgspec.json.encode(report) + b"\n"


class ScriptedWorker:
    """A worker process that says and does what the test wants.

    It ends on SIGTERM unless it is stubborn, and answers orders unless it is mute.
    """

    def __init__(
        self, number: int, *reports: Report, code: int | None = None, stubborn: bool = False
    ) -> None:
        self.number = number
        self.id = 1000 + number
        self.born = asyncio.get_running_loop().time()
        self.mute = False
        self.error = ""
        self.figures = Snapshot(workers=1)
        self.orders: list[Order] = []
        self.signals: list[int] = []
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._stubborn = stubborn
        for report in reports:
            self.say(encoded(report))
        if code is not None:
            self.end(code)

    @property
    def told(self) -> list[tuple[str, str]]:
        """The orders it was given, without questions how it is."""
        return [(order.do, order.reason) for order in self.orders if order.do != Do.SNAPSHOT]

    def say(self, line: bytes) -> None:
        self._lines.put_nowait(line)

    def end(self, code: int) -> None:
        if not self._code.done():
            self._code.set_result(code)
            self.say(b"")

    async def read_line(self) -> bytes:
        line = await self._lines.get()
        if not line:
            self.say(b"")  # the end stays the end
        return line

    def write_line(self, line: bytes) -> None:
        order = msgspec.json.decode(line, type=Order)
        self.orders.append(order)
        if not self.mute:
            snapshot = self.figures if order.do is Do.SNAPSHOT else None
            self.say(encoded(Done(order.number, self.error, snapshot)))

    async def wait(self) -> int:
        return await self._code

    def send_signal(self, number: int) -> None:
        if not self._code.done():
            self.signals.append(number)
            if number == signal.SIGKILL or (number == signal.SIGTERM and not self._stubborn):
                self.end(-number)


class Stage:
    """A supervisor whose workers are made by `make`."""

    def __init__(self, make: Callable[[int, int], ScriptedWorker], count: int = 2) -> None:
        self.workers: list[ScriptedWorker] = []
        self.announced: list[str] = []
        self._make = make
        self.supervisor = Supervisor(self._spawn, count, announce=self.announced.append, drain=10)
        self.task = asyncio.create_task(self.supervisor.run())

    async def _spawn(self, index: int) -> ScriptedWorker:
        worker = self._make(index, sum(worker.number == index for worker in self.workers))
        self.workers.append(worker)
        return worker

    @property
    def losses(self) -> int:
        return sum(self.supervisor.counts.values())

    async def stop(self) -> None:
        self.supervisor.stop()
        await self.task


def on_virtual_time(test: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    def wrapper() -> None:
        run(test())

    wrapper.__name__, wrapper.__doc__ = test.__name__, test.__doc__
    return wrapper


def ready(index: int, life: int) -> ScriptedWorker:
    return ScriptedWorker(index, READY)


@on_virtual_time
async def test_all_start_then_all_are_asked_to_end() -> None:
    stage = Stage(ready, 3)
    await asyncio.sleep(1)
    assert stage.announced == ["OSSH on port 53"]
    assert [worker.number for worker in stage.workers] == [0, 1, 2]
    await stage.stop()
    assert [worker.signals for worker in stage.workers] == [[signal.SIGTERM]] * 3
    assert stage.losses == 0


@on_virtual_time
async def test_readiness_is_announced_only_when_all_have_reported() -> None:
    stage = Stage(lambda index, life: ScriptedWorker(index, *[Ready()] * (index == 0)))
    await asyncio.sleep(1)
    assert stage.announced == []
    stage.workers[1].say(b"a stray line\n")
    await asyncio.sleep(1)
    assert stage.announced == []
    stage.workers[1].say(encoded(Ready("late")))
    await asyncio.sleep(1)
    assert stage.announced == [""]
    await stage.stop()


@on_virtual_time
async def test_if_none_can_start_the_reason_is_given_once_and_nothing_is_tried_again() -> None:
    stage = Stage(lambda index, life: ScriptedWorker(index, Failed("OSSH cannot listen"), code=2))
    with pytest.raises(OperatorError, match=r"^OSSH cannot listen$") as failure:
        await stage.task
    assert failure.value.exit_code == 2
    assert stage.announced == []
    await asyncio.sleep(1000)
    assert len(stage.workers) == 2


@pytest.mark.parametrize(
    ("code", "text", "exit_code"),
    [(3, "exit code 3", 3), (0, "exit code 0", 1), (-11, "SIGSEGV", 1), (-40, "signal 40", 1)],
)
def test_ending_without_a_word(code: int, text: str, exit_code: int) -> None:
    async def test() -> None:
        with pytest.raises(OperatorError, match=text) as failure:
            await Stage(lambda index, life: ScriptedWorker(index, code=code)).task
        assert failure.value.exit_code == exit_code

    run(test())


@on_virtual_time
async def test_a_program_that_is_not_there() -> None:
    async def spawn(index: int) -> ScriptedWorker:
        raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(OperatorError, match="No such file"):
        await Supervisor(spawn, 2).run()


@on_virtual_time
async def test_a_worker_that_never_reports_is_ended() -> None:
    stage = Stage(lambda index, life: ScriptedWorker(index), 1)
    with pytest.raises(OperatorError, match="SIGKILL"):
        await stage.task
    assert asyncio.get_running_loop().time() == 30
    assert stage.workers[0].signals == [signal.SIGKILL]


@on_virtual_time
async def test_one_that_cannot_start_does_not_keep_the_others_from_serving() -> None:
    def make(index: int, life: int) -> ScriptedWorker:
        if index == 1 and life < 2:
            return ScriptedWorker(index, Failed("out of memory"), code=2)
        return ready(index, life)

    stage = Stage(make)
    await asyncio.sleep(10)
    assert stage.announced == ["OSSH on port 53"]
    assert [worker.born for worker in stage.workers if worker.number == 1] == [0, 0, 1]
    assert stage.losses == 2
    await stage.stop()


@on_virtual_time
async def test_a_lost_worker_comes_back_ever_later_while_it_keeps_being_lost() -> None:
    def make(index: int, life: int) -> ScriptedWorker:
        worker = ready(index, life)
        if index == 0:
            worker.end(-signal.SIGSEGV)
        return worker

    stage = Stage(make)
    await asyncio.sleep(250)
    born = [worker.born for worker in stage.workers if worker.number == 0]
    assert born == [0, 0, 1, 3, 7, 15, 31, 63, 123, 183, 243]
    assert stage.losses == 11
    assert len([worker for worker in stage.workers if worker.number == 1]) == 1
    assert stage.announced == ["OSSH on port 53"]
    await stage.stop()


@on_virtual_time
async def test_the_delay_begins_anew_after_a_healthy_while() -> None:
    stage = Stage(ready, 1)
    loop = asyncio.get_running_loop()
    for loss in (5, 11, 73, 79):
        loop.call_at(loss, lambda: stage.workers[-1].end(1))
    await asyncio.sleep(100)
    assert [worker.born for worker in stage.workers] == [0, 5, 11 + 1, 73, 79 + 1]
    await stage.stop()


@on_virtual_time
async def test_reload_goes_to_those_who_are_ready_and_later_to_those_who_are_not() -> None:
    stage = Stage(lambda index, life: ScriptedWorker(index, *[Ready()] * (index == 0)))
    await asyncio.sleep(1)
    assert await stage.supervisor.reload() == {0: ""}
    assert [worker.told for worker in stage.workers] == [[("reload", "")], []]
    stage.workers[1].say(encoded(Ready()))
    await asyncio.sleep(1)
    assert [worker.told for worker in stage.workers] == [[("reload", "")]] * 2
    await stage.stop()


def test_what_was_wrong_in_a_reload_that_nobody_waited_for_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        stage = Stage(lambda index, life: ScriptedWorker(index), 1)
        await asyncio.sleep(1)
        assert await stage.supervisor.reload() == {}
        stage.workers[0].error = "rules.json: not JSON"
        stage.workers[0].say(encoded(Ready()))
        await asyncio.sleep(1)
        await stage.stop()

    run(test())
    reasons = [vars(record).get("reason") for record in caplog.records]
    assert reasons == ["rules.json: not JSON"]


@on_virtual_time
async def test_what_was_wrong_in_a_reload_is_told_for_each_worker() -> None:
    stage = Stage(ready, 3)
    await asyncio.sleep(1)
    stage.workers[1].error = "rules.json: not JSON"
    stage.workers[2].mute = True
    asyncio.get_running_loop().call_later(2, stage.workers[2].end, 1)
    assert await stage.supervisor.reload() == {
        0: "",
        1: "rules.json: not JSON",
        2: "the worker has ended; the next one reads its files anyway",
    }
    await stage.stop()


@on_virtual_time
async def test_a_pause_is_for_those_to_come_as_well_until_every_reason_is_gone() -> None:
    stage = Stage(ready, 1)
    await asyncio.sleep(1)
    stage.supervisor.pause("operator")
    stage.workers[0].end(1)
    await asyncio.sleep(1)
    stage.supervisor.resume("operator")
    stage.workers[1].end(1)
    await asyncio.sleep(2)
    told = [worker.told for worker in stage.workers]
    assert told == [[("pause", "operator")], [("pause", "operator"), ("resume", "operator")], []]
    await stage.stop()


@on_virtual_time
async def test_one_that_starts_while_a_reason_goes_is_told_that_it_has_gone() -> None:
    stage = Stage(lambda index, life: ScriptedWorker(index, *[Ready()] * (life == 0)), 1)
    await asyncio.sleep(1)
    stage.supervisor.pause("memory")
    stage.supervisor.pause("load")
    stage.workers[0].end(1)
    await asyncio.sleep(1)
    stage.supervisor.resume("load")
    stage.workers[1].say(encoded(Ready()))
    await asyncio.sleep(1)
    assert stage.workers[1].told == [("pause", "memory"), ("resume", "load")]
    await stage.stop()


@on_virtual_time
async def test_figures_are_those_of_all_workers_and_what_is_counted_outlives_them() -> None:
    stage = Stage(ready)
    await asyncio.sleep(1)
    first, second = stage.workers
    first.figures = Snapshot(workers=1, tunnels={"OSSH/CH/": 2}, counts={"tunnel.OSSH": 5})
    second.figures = Snapshot(workers=1, tunnels={"OSSH/CH/": 1}, counts={"tunnel.OSSH": 1})
    both = await stage.supervisor.snapshot()
    assert (both.workers, both.established, both.counts) == (2, 3, {"tunnel.OSSH": 6})
    first.end(-signal.SIGSEGV)
    await asyncio.sleep(1)
    left = await stage.supervisor.snapshot()
    assert (left.workers, left.established) == (2, 1)
    assert left.counts == {"tunnel.OSSH": 6, "lost.killed": 1}
    await stage.stop()


@on_virtual_time
async def test_a_worker_that_is_slow_to_answer_counts_with_its_last_figures() -> None:
    stage = Stage(ready)
    await asyncio.sleep(1)
    await stage.supervisor.snapshot()
    stage.workers[0].mute = True
    before = asyncio.get_running_loop().time()
    assert (await stage.supervisor.snapshot()).workers == 2
    assert 0 < asyncio.get_running_loop().time() - before < 5
    await stage.stop()


@on_virtual_time
async def test_a_worker_that_gives_no_answer_for_long_is_ended_and_counted() -> None:
    stage = Stage(ready)
    await asyncio.sleep(20)
    stage.workers[1].mute = True
    await asyncio.sleep(25)
    assert stage.workers[1].signals == []
    await asyncio.sleep(15)
    assert stage.workers[1].signals == [signal.SIGKILL]
    assert dict(stage.supervisor.counts) == {"lost.hung": 1}
    assert [worker.number for worker in stage.workers] == [0, 1, 1]
    assert stage.workers[0].signals == []
    await stage.stop()


@on_virtual_time
async def test_a_stubborn_worker_is_killed_at_the_deadline() -> None:
    stage = Stage(lambda index, life: ScriptedWorker(index, READY, stubborn=index == 0))
    await asyncio.sleep(1)
    await stage.stop()
    assert asyncio.get_running_loop().time() == 11
    assert stage.workers[0].signals == [signal.SIGTERM, signal.SIGKILL]
    assert stage.workers[1].signals == [signal.SIGTERM]


@on_virtual_time
async def test_asking_twice_ends_them_at_once() -> None:
    stage = Stage(lambda index, life: ScriptedWorker(index, READY, stubborn=True))
    await asyncio.sleep(1)
    stage.supervisor.stop()
    await asyncio.sleep(1)
    await stage.stop()
    assert asyncio.get_running_loop().time() == 2


@on_virtual_time
async def test_stopping_while_a_lost_worker_waits_to_come_back() -> None:
    stage = Stage(ready, 1)
    for lost in range(2):
        await asyncio.sleep(1)
        stage.workers[lost].end(1)
    await asyncio.sleep(0.5)
    await stage.stop()
    assert asyncio.get_running_loop().time() == 2.5
    assert len(stage.workers) == 2


@on_virtual_time
async def test_stopping_before_they_are_ready_is_no_failure() -> None:
    stage = Stage(lambda index, life: ScriptedWorker(index))
    await asyncio.sleep(1)
    await stage.stop()
    assert stage.announced == []
    assert asyncio.get_running_loop().time() == 1


@on_virtual_time
async def test_stopping_before_it_runs_is_the_end() -> None:
    stage = Stage(ready)
    stage.supervisor.stop()
    async with asyncio.timeout(60):
        await stage.task
    assert stage.workers == []


@on_virtual_time
async def test_cancelling_leaves_no_process_behind() -> None:
    stage = Stage(ready)
    await asyncio.sleep(1)
    stage.task.cancel()
    with suppress(asyncio.CancelledError):
        await stage.task
    assert [worker.signals for worker in stage.workers] == [[signal.SIGKILL]] * 2


def test_there_is_a_worker_for_every_processor() -> None:
    assert 1 <= default_worker_count() <= (os.cpu_count() or 1)


# ---- real processes ---------------------------------------------------------------------------------------

_WORKER = """
import asyncio, signal, sys
from headrace.server.worker_link import Do, Done, Failed, Ready, WorkerLink

async def nothing():
    return
    yield

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    link = await WorkerLink.open()
    link.tell(Failed("no such port") if sys.argv[2] == "fail" else Ready(f"worker {sys.argv[1]}"))
    print("a word that is no report", file=sys.stderr)
    async for order in link.orders() if sys.argv[2] == "serve" else nothing():
        link.tell(Done(order.number, "no files" if order.do is Do.RELOAD else ""))
    await link.close()

asyncio.run(main())
"""


async def start(index: int, mode: str) -> WorkerProcess:
    return await WorkerProcess.start([sys.executable, "-c", _WORKER, str(index), mode])


async def test_real_processes_start_obey_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    announced: asyncio.Queue[str] = asyncio.Queue()
    supervisor = Supervisor(lambda index: start(index, "serve"), 2, announce=announced.put_nowait, drain=0)
    running = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(30):
        assert await announced.get() == "worker 0"
        assert await supervisor.reload() == {0: "no files", 1: "no files"}
        supervisor.stop()
        await running


async def test_real_processes_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    with pytest.raises(OperatorError, match=r"^no such port$"):
        async with asyncio.timeout(30):
            await Supervisor(lambda index: start(index, "fail"), 2).run()


async def test_a_program_that_does_not_exist(tmp_path: object) -> None:
    with pytest.raises(OperatorError, match="No such file"):
        await Supervisor(lambda index: WorkerProcess.start([f"{tmp_path}/missing"]), 1).run()
