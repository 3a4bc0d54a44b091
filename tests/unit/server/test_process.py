"""A server process: what it reads, what it says about it, and how it takes signals."""

import asyncio
import json
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headrace.base.errors import DocumentError, HeadraceError, OperatorError
from headrace.server.generate import CONFIG_FILE, TRAFFIC_RULES_FILE, generate_server
from headrace.server.process import SEED_FILE, Process
from headrace.testing.peers import host_key


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A process sets up logging for itself alone."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def configuration(directory: Path, **settings: Any) -> Path:
    """Write a server's files; return the configuration, which logs to a file."""
    generated = generate_server(ip="127.0.0.1", protocols={"OSSH": 1}, host_key=host_key())
    generated.write(directory, force=True)
    path = directory / CONFIG_FILE
    changes = {"TunnelProtocolPorts": {"OSSH": 0}, "LogFilename": str(directory / "log"), **settings}
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}))
    return path


def logged(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "log").read_text().splitlines()]


# ---- reading ----------------------------------------------------------------------------------------------


def test_a_missing_file_is_told_with_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"nowhere.*No such file.*server generate"):
        Process(tmp_path / "nowhere").load()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"TunnelProtocolPorts": {}}, "TunnelProtocolPorts"),
        ({"TunnelProtocolPorts": {"QUIC-OSSH": 443}}, "TunnelProtocolPorts"),
        ({"SSHPassword": ""}, "SSHPassword"),
        ({"LogFilename": "/nonexistent/log"}, "LogFilename.*cannot be written"),
    ],
)
def test_a_configuration_that_cannot_be_served_is_refused(
    tmp_path: Path, settings: dict[str, object], problem: str
) -> None:
    with pytest.raises(HeadraceError, match=problem):
        Process(configuration(tmp_path, **settings)).load()


def test_what_is_not_served_is_told_once_by_the_one_in_front(tmp_path: Path) -> None:
    path = configuration(
        tmp_path,
        TunnelProtocolPorts={"OSSH": 0, "QUIC-OSSH": 443},
        LogLevel="debug",
        AllowBogons=True,
        AllowForwardsBeforeHandshake=True,
        NoSuchField=1,
    )
    process = Process(path)
    process.load()
    assert logged(tmp_path) == []
    process.warn()
    told = [
        {name: line[name] for name in ("level", "field", "protocol", "setting") if name in line}
        for line in logged(tmp_path)
    ]
    assert told == [
        {"level": "debug", "field": "NoSuchField"},
        {"level": "warning", "protocol": "QUIC-OSSH"},
        {"level": "warning", "setting": "AllowBogons"},
        {"level": "warning", "setting": "AllowForwardsBeforeHandshake"},
    ]


@pytest.mark.parametrize("listen", [None, "127.0.0.1"])
def test_a_port_that_is_taken_is_noticed_before_anything_starts(tmp_path: Path, listen: str | None) -> None:
    with socket.socket() as sharer:
        sharer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sharer.bind(("127.0.0.1", 0))
        sharer.listen()
        port = sharer.getsockname()[1]
        process = Process(configuration(tmp_path, TunnelProtocolPorts={"OSSH": port}), listen=listen)
        with pytest.raises(OperatorError, match=f"OSSH cannot listen on port {port}"):
            process.insist_on_free_ports()
    process.insist_on_free_ports()


# ---- running ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def running(path: Path, **settings: Any) -> AsyncIterator[tuple[asyncio.Task[None], str]]:
    """Run a process's server in this process; yields its task and what it announced."""
    announced: asyncio.Queue[str] = asyncio.Queue()
    task = asyncio.create_task(Process(path, listen="127.0.0.1", **settings).run(announced.put_nowait))
    ready = asyncio.create_task(announced.get())
    await asyncio.wait((task, ready), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        ready.cancel()
        task.result()
    try:
        yield task, await ready
    finally:
        if not task.done():
            os.kill(os.getpid(), signal.SIGTERM)
        await task
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@pytest.mark.both_loops
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_where_it_listens_and_ends_on_a_signal(tmp_path: Path, number: int) -> None:
    async with running(configuration(tmp_path)) as (task, announced):
        port = int(announced.removeprefix("OSSH on port "))
        socket.create_connection(("127.0.0.1", port), 5).close()
        os.kill(os.getpid(), number)
        await task
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
    assert logged(tmp_path)[-1]["event"] == "stopping"


async def test_the_seed_history_is_where_it_is_told_to_be_and_its_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    async with running(configuration(tmp_path), data_directory=data):
        assert (data / SEED_FILE).stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / SEED_FILE).exists()


async def reload(directory: Path, events: int) -> dict[str, Any]:
    """Ask for a reload; return the line in the log that says what came of it."""
    os.kill(os.getpid(), signal.SIGHUP)
    while len(lines := logged(directory)) <= events:  # noqa: ASYNC110
        await asyncio.sleep(0)
    return lines[-1]


async def test_a_reload_takes_good_files_and_leaves_bad_ones(tmp_path: Path) -> None:
    rules = tmp_path / TRAFFIC_RULES_FILE
    async with running(configuration(tmp_path)):
        good = rules.read_bytes()
        before = len(logged(tmp_path))
        assert (await reload(tmp_path, before))["event"] == "reloaded"
        for number, bad in enumerate((b"{", b'{"DefaultRules": {"MaxTCPPortForwardCount": -1}}', None)):
            rules.unlink() if bad is None else rules.write_bytes(bad)
            told = await reload(tmp_path, before + 1 + number)
            assert (told["level"], told["event"]) == ("error", "not reloaded, the old state stays")
            assert rules.name in told["reason"]
        rules.write_bytes(good)
        assert (await reload(tmp_path, before + 4))["event"] == "reloaded"


@pytest.mark.parametrize("name", [TRAFFIC_RULES_FILE, "psiphond-tactics.config"])
async def test_a_bad_file_at_the_start_is_an_error(tmp_path: Path, name: str) -> None:
    path = configuration(tmp_path)
    (tmp_path / name).write_bytes(b"{")
    with pytest.raises(DocumentError, match=name):
        async with running(path):
            pytest.fail("it must not start")
