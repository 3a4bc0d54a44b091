"""A worker process: how it starts, carries out orders, takes signals and ends."""

import asyncio
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.interop.programs import unused_port
from tests.server_files import configuration, logged, own_logging
from tests.worker_line import WorkerLine, worker_line

from headrace.server.generate import TRAFFIC_RULES_FILE
from headrace.server.process import SEED_FILE, Process
from headrace.server.worker import Worker
from headrace.server.worker_link import Do, Done, Failed, Order, Ready, parse_report


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    with own_logging():
        yield


@asynccontextmanager
async def running(
    path: Path, **settings: Any
) -> AsyncIterator[tuple[WorkerLine, asyncio.Task[int], Ready | Failed]]:
    """Run a worker process's server in this process; yields the line to it, its task and its first word."""
    async with worker_line() as line:
        task = asyncio.create_task(Process(path, listen="127.0.0.1", **settings).run(line.link))
        first = await line.report()
        assert isinstance(first, Ready | Failed)
        try:
            yield line, task, first
        finally:
            line.hang_up()
            await task
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.both_loops
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_where_it_listens_and_ends_on_a_signal(tmp_path: Path, number: int) -> None:
    async with running(configuration(tmp_path)) as (_, task, first):
        port = int(first.text.removeprefix("OSSH on port "))
        assert listens(port)
        os.kill(os.getpid(), number)
        assert await task == 0
        assert not listens(port)
    assert logged(tmp_path)[-1]["event"] == "stopping"


async def test_it_ends_when_its_supervisor_does(tmp_path: Path) -> None:
    async with running(configuration(tmp_path)) as (line, task, _):
        line.hang_up()
        assert await task == 0


async def test_the_seed_history_is_where_it_is_told_to_be_and_its_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    async with running(configuration(tmp_path), data_directory=data):
        assert (data / SEED_FILE).stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / SEED_FILE).exists()


async def test_a_reload_takes_good_files_and_leaves_bad_ones(tmp_path: Path) -> None:
    rules = tmp_path / TRAFFIC_RULES_FILE
    async with running(configuration(tmp_path)) as (line, _, _):
        good = rules.read_bytes()
        assert (await line.order(Do.RELOAD)).error == ""
        for bad in (b"{", b'{"DefaultRules": {"MaxTCPPortForwardCount": -1}}', None):
            rules.unlink() if bad is None else rules.write_bytes(bad)
            assert rules.name in (await line.order(Do.RELOAD)).error
        rules.write_bytes(good)
        assert (await line.order(Do.RELOAD)).error == ""


async def test_tunnels_do_not_wait_for_the_line_of_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To find it, the file is read and taken apart again, and it may be large."""
    finders: list[threading.Thread] = []

    def find(text: str) -> str:
        finders.append(threading.current_thread())
        return text

    monkeypatch.setattr("headrace.server.process.with_line", find)
    async with running(configuration(tmp_path)) as (line, _, _):
        (tmp_path / TRAFFIC_RULES_FILE).write_bytes(b"{")
        assert TRAFFIC_RULES_FILE in (await line.order(Do.RELOAD)).error
    assert finders and threading.main_thread() not in finders


async def test_it_takes_no_connections_while_it_is_ordered_not_to(tmp_path: Path) -> None:
    async with running(configuration(tmp_path)) as (line, _, first):
        port = int(first.text.removeprefix("OSSH on port "))
        await line.order(Do.PAUSE, "operator")
        assert not listens(port)
        await line.order(Do.PAUSE, "load")
        await line.order(Do.RESUME, "operator")
        assert not listens(port)
        await line.order(Do.RESUME, "load")
        assert listens(port)


async def test_one_that_starts_while_none_are_to_be_taken_takes_none(tmp_path: Path) -> None:
    """It is told so on its command line: an order would come a moment too late."""
    path, port = configuration(tmp_path), unused_port()
    path.write_text(json.dumps({**json.loads(path.read_text()), "TunnelProtocolPorts": {"OSSH": port}}))
    async with running(path, shut=["operator"]) as (line, _, first):
        assert first == Ready(f"OSSH on port {port}")
        assert not listens(port)
        await line.order(Do.PAUSE, "operator")
        assert (await line.order(Do.SNAPSHOT)).snapshot.counts["paused.operator"] == 1  # type: ignore[union-attr]
        await line.order(Do.RESUME, "operator")
        assert listens(port)


async def test_it_tells_its_figures(tmp_path: Path) -> None:
    async with running(configuration(tmp_path)) as (line, _, _):
        answer = await line.order(Do.SNAPSHOT)
        assert answer.snapshot is not None
        assert answer.snapshot.workers == 1
        assert answer.snapshot.resident_bytes > 0


async def test_an_order_that_fails_is_told_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(worker: Worker) -> None:
        raise ZeroDivisionError("no clients")

    monkeypatch.setattr(Worker, "snapshot", fail)
    async with running(configuration(tmp_path)) as (line, task, _):
        assert (await line.order(Do.SNAPSHOT)).error == "ZeroDivisionError: no clients"
        assert not task.done()
    assert any(line["event"] == "an order could not be carried out" for line in logged(tmp_path))


@pytest.mark.parametrize("name", [TRAFFIC_RULES_FILE, "psiphond-tactics.config"])
async def test_a_bad_file_at_the_start_is_told(tmp_path: Path, name: str) -> None:
    path = configuration(tmp_path)
    (tmp_path / name).write_bytes(b"{")
    async with running(path) as (_, task, first):
        assert isinstance(first, Failed)
        assert name in first.text
        assert await task == first.exit_code == 2


async def test_a_supervisor_that_makes_no_sense_is_as_good_as_none(tmp_path: Path) -> None:
    async with running(configuration(tmp_path)) as (line, task, _):
        line.write(b"nonsense\n")
        assert await task == 0


async def test_a_persons_orders_to_the_whole_service_do_not_end_its_workers(tmp_path: Path) -> None:
    """`systemctl kill -s USR2` sends them to all processes, and only the supervisor is meant."""
    arguments = ["-m", "headrace.server.process", str(configuration(tmp_path)), str(tmp_path), "127.0.0.1"]
    pipe = asyncio.subprocess.PIPE
    worker = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=pipe, stdout=pipe)
    assert worker.stdin is not None and worker.stdout is not None
    try:
        assert isinstance(parse_report(await worker.stdout.readline()), Ready)
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTSTP):
            worker.send_signal(number)
        worker.stdin.write(msgspec.json.encode(Order(Do.SNAPSHOT, 1)) + b"\n")
        assert isinstance(parse_report(await worker.stdout.readline()), Done)
        worker.stdin.close()
        async with asyncio.timeout(30):
            assert await worker.wait() == 0
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
