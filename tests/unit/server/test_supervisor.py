"""The parent of the workers: whole lives on virtual time with scripted workers, then real processes."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress

import pytest

from headrace.base.errors import OperatorError
from headrace.server.supervisor import Supervisor, default_worker_count, run_workers
from headrace.testing.virtual_time import run


class ScriptedWorker:
    """A worker process that says and does what the test wants. It ends on SIGTERM unless it is stubborn."""

    def __init__(self, number: int, *lines: bytes, code: int | None = None, stubborn: bool = False) -> None:
        self.number = number
        self.born = asyncio.get_running_loop().time()
        self.signals: list[int] = []
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._stubborn = stubborn
        for line in lines:
            self.say(line)
        if code is not None:
            self.end(code)

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

    async def stop(self) -> None:
        self.supervisor.stop()
        await self.task


def on_virtual_time(test: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    def wrapper() -> None:
        run(test())

    wrapper.__name__, wrapper.__doc__ = test.__name__, test.__doc__
    return wrapper


def ready(index: int, life: int) -> ScriptedWorker:
    return ScriptedWorker(index, b"ready OSSH on port 53\n")


@on_virtual_time
async def test_all_start_then_all_are_asked_to_end() -> None:
    stage = Stage(ready, 3)
    await asyncio.sleep(1)
    assert stage.announced == ["OSSH on port 53"]
    assert [worker.number for worker in stage.workers] == [0, 1, 2]
    await stage.stop()
    assert [worker.signals for worker in stage.workers] == [[signal.SIGTERM]] * 3
    assert stage.supervisor.losses == 0


@on_virtual_time
async def test_readiness_is_announced_only_when_all_have_reported() -> None:
    stage = Stage(lambda index, life: ScriptedWorker(index, *[b"ready\n"] * (index == 0)))
    await asyncio.sleep(1)
    assert stage.announced == []
    stage.workers[1].say(b"a stray line\n")
    await asyncio.sleep(1)
    assert stage.announced == []
    stage.workers[1].say(b"ready late\n")
    await asyncio.sleep(1)
    assert stage.announced == [""]
    await stage.stop()


@on_virtual_time
async def test_if_none_can_start_the_reason_is_given_once_and_nothing_is_tried_again() -> None:
    stage = Stage(lambda index, life: ScriptedWorker(index, b"failed OSSH cannot listen\n", code=2))
    with pytest.raises(OperatorError, match=r"^OSSH cannot listen$") as failure:
        await stage.task
    assert failure.value.exit_code == 2
    assert stage.announced == []
    await asyncio.sleep(1000)
    assert len(stage.workers) == 2


@pytest.mark.parametrize(
    ("code", "text", "exit_code"), [(3, "exit code 3", 3), (0, "exit code 0", 1), (-11, "SIGSEGV", 1)]
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
            return ScriptedWorker(index, b"failed out of memory\n", code=2)
        return ready(index, life)

    stage = Stage(make)
    await asyncio.sleep(10)
    assert stage.announced == ["OSSH on port 53"]
    assert [worker.born for worker in stage.workers if worker.number == 1] == [0, 1, 3]
    assert stage.supervisor.losses == 2
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
    assert born == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]
    assert stage.supervisor.losses == 10
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
    assert [worker.born for worker in stage.workers] == [0, 5 + 1, 11 + 2, 73 + 1, 79 + 2]
    await stage.stop()


@on_virtual_time
async def test_reload_goes_to_those_who_are_ready_and_later_to_those_who_are_not() -> None:
    stage = Stage(lambda index, life: ScriptedWorker(index, *[b"ready\n"] * (index == 0)))
    await asyncio.sleep(1)
    stage.supervisor.reload()
    assert [worker.signals for worker in stage.workers] == [[signal.SIGHUP], []]
    stage.workers[1].say(b"ready\n")
    await asyncio.sleep(1)
    assert [worker.signals for worker in stage.workers] == [[signal.SIGHUP], [signal.SIGHUP]]
    await stage.stop()


@on_virtual_time
async def test_a_stubborn_worker_is_killed_at_the_deadline() -> None:
    stage = Stage(lambda index, life: ScriptedWorker(index, b"ready\n", stubborn=index == 0))
    await asyncio.sleep(1)
    await stage.stop()
    assert asyncio.get_running_loop().time() == 11
    assert stage.workers[0].signals == [signal.SIGTERM, signal.SIGKILL]
    assert stage.workers[1].signals == [signal.SIGTERM]


@on_virtual_time
async def test_asking_twice_ends_them_at_once() -> None:
    stage = Stage(lambda index, life: ScriptedWorker(index, b"ready\n", stubborn=True))
    await asyncio.sleep(1)
    stage.supervisor.stop()
    await asyncio.sleep(1)
    await stage.stop()
    assert asyncio.get_running_loop().time() == 2


@on_virtual_time
async def test_stopping_while_a_lost_worker_waits_to_come_back() -> None:
    stage = Stage(ready, 1)
    await asyncio.sleep(1)
    stage.workers[0].end(1)
    await asyncio.sleep(0.5)
    await stage.stop()
    assert asyncio.get_running_loop().time() == 1.5
    assert len(stage.workers) == 1


@on_virtual_time
async def test_stopping_before_they_are_ready_is_no_failure() -> None:
    stage = Stage(lambda index, life: ScriptedWorker(index))
    await asyncio.sleep(1)
    await stage.stop()
    assert stage.announced == []
    assert asyncio.get_running_loop().time() == 1


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
import asyncio, os, signal, sys
from headrace.server.worker_link import Failed, Ready, parent_gone, report

async def main():
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: print("reloaded", flush=True))
    report(Ready(f"worker\\n{sys.argv[1]}"))
    waits = [asyncio.create_task(stop.wait()), asyncio.create_task(parent_gone())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)

if sys.argv[2] == "fail":
    report(Failed("no such port"))
    sys.exit(2)
asyncio.run(main())
"""


def command(mode: str) -> Callable[[int], list[str]]:
    return lambda index: [sys.executable, "-c", _WORKER, str(index), mode]


async def test_real_processes_start_reload_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    announced: asyncio.Queue[str] = asyncio.Queue()
    running = asyncio.create_task(run_workers(command("serve"), 2, announce=announced.put_nowait))
    assert await asyncio.wait_for(announced.get(), 30) == "worker 0"
    os.kill(os.getpid(), signal.SIGHUP)  # would end this process if it were not for the supervisor
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 30)


async def test_real_processes_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    with pytest.raises(OperatorError, match=r"^no such port$") as failure:
        await asyncio.wait_for(run_workers(command("fail"), 2), 30)
    assert failure.value.exit_code == 2


async def test_a_program_that_does_not_exist(tmp_path: object) -> None:
    with pytest.raises(OperatorError, match="No such file"):
        await run_workers(lambda index: [f"{tmp_path}/missing"], 1)
