"""A running server, looked after: by signals, by commands, by systemd, and by whoever moves its log away."""

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.test_processes import PIPE, Program, program, server
from tests.e2e.test_server_processes import connected, lines, workers_of
from tests.interop.programs import complete, missing
from tests.interop.programs import program as system_program

from headrace.documents.server_entry import ServerEntry
from headrace.server.control_messages import CONTROL_SOCKET
from headrace.server.generate import CONFIG_FILE, TRAFFIC_RULES_FILE, generate_server
from headrace.testing.peers import host_key

#: Numbers of capabilities (capabilities(7)).
DAC_READ_SEARCH, NET_BIND_SERVICE = 2, 10


def as_nobody(*more: str) -> list[str]:
    """Return what runs a command as a user without rights but these, and that to read any file.

    That one is there because the interpreter may be where only its owner gets.
    """
    if os.geteuid() != 0:
        missing("the right to be another user")
    rights = ",".join(["-all", "+dac_read_search", *more])
    sets = [word for name in ("inh-caps", "ambient-caps", "bounding-set") for word in (f"--{name}", rights)]
    user = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"]
    return [system_program("setpriv"), *user, *sets]


async def ask(directory: Path, *words: str) -> tuple[int | None, str, str]:
    """Run a command for the server in `directory`; return its exit code and what it printed."""
    async with program("server", *words, "--config", directory / CONFIG_FILE) as running:
        output, errors = await running.process.communicate()
        return running.process.returncode, output.decode(), errors.decode()


async def status(directory: Path) -> tuple[int | None, dict[str, Any]]:
    code, output, _ = await ask(directory, "status", "--json")
    return code, json.loads(output)


async def listens(entry: ServerEntry) -> bool:
    try:
        _, writer = await asyncio.open_connection(entry.ip_address, entry.ssh_obfuscated_port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


# ---- commands ---------------------------------------------------------------------------------------------


async def test_it_says_how_it_is(tmp_path: Path) -> None:
    async with server(tmp_path, workers="2") as (running, line):
        tunnel = await connected(ServerEntry.decode(line))
        code, told = await status(tmp_path)
        assert (code, told["state"], told["process"]) == (0, "serving", running.process.pid)
        assert [worker["ready"] for worker in told["workers"]] == [True, True]
        assert told["figures"]["tunnels"] == {"OSSH": 1}
        code, output, _ = await ask(tmp_path, "status")
        assert code == 0
        assert output.startswith("serving: 1 tunnel, for ")
        assert (tmp_path / CONTROL_SOCKET).stat().st_mode & 0o777 == 0o600
        tunnel.close()
        assert await running.end(signal.SIGTERM) == 0
    code, _, errors = await ask(tmp_path, "status")
    assert code == 3
    assert "no server" in errors


async def test_a_reload_says_which_file_where_and_why(tmp_path: Path) -> None:
    rules = tmp_path / TRAFFIC_RULES_FILE
    async with server(tmp_path, workers="2") as (running, line):
        tunnel = await connected(ServerEntry.decode(line))
        good = rules.read_bytes()
        rules.write_text('{"DefaultRules": {\n  "AllowTCPPorts": [80,\n    "https"]}}')
        code, output, _ = await ask(tmp_path, "reload")
        assert code == 1
        problem = f"{rules}:3: DefaultRules.AllowTCPPorts[1]: expected a whole number"
        assert [problem in text for text in output.splitlines()] == [True, True]
        assert problem in await running.line("the old state stays")
        rules.write_bytes(good)
        code, output, _ = await ask(tmp_path, "reload")
        assert (code, output) == (0, "worker 0: reloaded\nworker 1: reloaded\n")
        assert await tunnel.request(b"keepalive@openssh.com", b"")
        tunnel.close()


async def test_draining_keeps_who_is_in_and_is_undone(tmp_path: Path) -> None:
    async with server(tmp_path, workers="2") as (running, line):
        entry = ServerEntry.decode(line)
        tunnel = await connected(entry)
        async with program("server", "drain", "--wait", "--config", tmp_path / CONFIG_FILE) as waiting:
            await lines(running, '"event":"no new connections"', 2)
            assert not await listens(entry)
            assert (await status(tmp_path))[0] == 1
            assert await tunnel.request(b"keepalive@openssh.com", b"")
            assert waiting.process.returncode is None
            tunnel.close()
            output, _ = await waiting.process.communicate()
        assert output.startswith(b"takes no new tunnels (operator): 0 tunnels")
        code, output_text, _ = await ask(tmp_path, "resume")
        assert (code, output_text.partition(":")[0]) == (0, "serving")
        assert await listens(entry)


async def test_nobody_else_is_answered(tmp_path: Path) -> None:
    async with server(tmp_path) as (running, _):
        path = tmp_path / CONTROL_SOCKET
        path.chmod(0o666)  # whatever may have happened to it
        script = (
            "import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(5); "
            "s.connect(sys.argv[1]); print(s.recv(100))"
        )
        asking = (sys.executable, "-c", script, path)
        assert await complete(*as_nobody(), *asking, directory=tmp_path) == b"b''\n"
        assert (await status(tmp_path))[0] == 0
        assert await running.end(signal.SIGTERM) == 0


# ---- signals ----------------------------------------------------------------------------------------------


async def test_signals_stop_and_start_the_taking_of_tunnels(tmp_path: Path) -> None:
    async with server(tmp_path) as (running, line):
        entry = ServerEntry.decode(line)
        tunnel = await connected(entry)
        running.process.send_signal(signal.SIGTSTP)
        await running.line('"event":"no new connections"')
        assert not await listens(entry)
        assert await tunnel.request(b"keepalive@openssh.com", b"")
        running.process.send_signal(signal.SIGCONT)
        await running.line('"event":"new connections again"')
        assert await listens(entry)
        running.process.send_signal(signal.SIGUSR1)
        await running.line('"event":"reloaded"')
        running.process.send_signal(signal.SIGUSR2)
        await running.line('"event_name":"server_load"')
        tunnel.close()


# ---- the service manager ----------------------------------------------------------------------------------


class Manager:
    """What systemd is told, on a real socket."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener

    async def told(self, word: str) -> list[str]:
        """Return the next message that begins with this."""
        async with asyncio.timeout(30):
            while True:
                message = await asyncio.get_running_loop().sock_recv(self._listener, 4096)
                lines = message.decode().split("\n")
                if lines[0] == word:
                    return lines


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        yield Manager(listener)


async def test_systemd_is_told_how_it_goes(tmp_path: Path, manager: Manager) -> None:
    async with server(tmp_path, workers="2") as (running, _):
        assert await manager.told("READY=1") == ["READY=1", "STATUS=serving"]
        assert await manager.told("WATCHDOG=1") == ["WATCHDOG=1"]
        running.process.send_signal(signal.SIGHUP)
        assert len(await manager.told("RELOADING=1")) == 2
        await manager.told("READY=1")
        assert await manager.told("WATCHDOG=1")
        running.process.send_signal(signal.SIGTERM)
        assert (await manager.told("STOPPING=1"))[2] == "EXTEND_TIMEOUT_USEC=35000000"
        assert await running.process.wait() == 0


async def test_workers_do_not_speak_to_systemd(tmp_path: Path, manager: Manager) -> None:
    """Only the main process may (NotifyAccess=main); a worker's environment has no say in it."""
    async with server(tmp_path, workers="1") as (running, _):
        await manager.told("READY=1")
        (worker,) = workers_of(running)
        assert "NOTIFY_SOCKET" not in worker.environ()


# ---- the log ----------------------------------------------------------------------------------------------


async def test_a_log_that_is_moved_away_is_gone_on_with_by_all(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    async with server(tmp_path, workers="2", LogFilename=str(log)) as (running, _):
        log.rename(tmp_path / "server.log.1")
        code, _, _ = await ask(tmp_path, "reload")
        assert code == 0
        running.process.send_signal(signal.SIGTERM)
        assert await running.process.wait() == 0
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert sorted(events) == ["reloaded", "stopping", "stopping"]


# ---- privileges -------------------------------------------------------------------------------------------


@asynccontextmanager
async def by_nobody(directory: Path, *rights: str) -> AsyncIterator[Program]:
    """Run the server in `directory` as a user with these rights, in a network of its own."""
    for path in (directory, *directory.iterdir()):
        os.chown(path, 65534, 65534)
    words = ["-m", "headrace", "server", "run", "--config", str(directory / CONFIG_FILE), "--workers", "1"]
    process = await asyncio.create_subprocess_exec(
        *[system_program("unshare"), "--net", *as_nobody(*rights), sys.executable, *words],
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        async with asyncio.timeout(45):
            yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
def where() -> Iterator[Path]:
    """A directory that others get to, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory(prefix="headrace-test-") as name:
        yield Path(name)


async def test_low_ports_take_one_capability_and_no_root(where: Path) -> None:
    generated = generate_server(ip="192.0.2.1", protocols={"OSSH": 443}, host_key=host_key("rsa"))
    generated.write(where)
    async with by_nobody(where) as refused:
        _, errors = await refused.process.communicate()
        assert refused.process.returncode == 2
        assert b"CAP_NET_BIND_SERVICE" in errors
    async with by_nobody(where, "+net_bind_service") as running:
        assert running.process.stdout is not None
        assert await running.process.stdout.readline() == b"headrace server: OSSH on port 443\n"
        of_process = Path(f"/proc/{running.process.pid}/status").read_text()
        assert "Uid:\t65534\t65534\t65534\t65534" in of_process
        assert f"CapEff:\t{1 << NET_BIND_SERVICE | 1 << DAC_READ_SEARCH:016x}" in of_process
        assert await running.end(signal.SIGTERM) == 0
