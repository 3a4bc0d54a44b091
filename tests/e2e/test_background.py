"""A client in the background, as a person at a terminal has it: started, asked, ended, and killed."""

import asyncio
import contextlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import pytest_asyncio
from tests.e2e.test_processes import fetch, server, silent_port
from tests.interop.programs import missing

from headrace.client.control_client import find
from headrace.server.generate import generate_server
from headrace.testing.origin import PAGE, Origin
from headrace.testing.peers import host_key

NETWORK = {"PropagationChannelId": "0" * 15 + "1", "SponsorId": "0" * 15 + "2"}
NAMES = ("default", "other")


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime directory of the test's own; whoever still runs at its end is ended."""
    directory = Path(tempfile.mkdtemp(prefix="run-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))
    monkeypatch.setenv("COLUMNS", "150")
    yield directory
    for name in NAMES:
        if (left := find(name)) is not None:
            os.kill(left.process, signal.SIGKILL)
            left.close()
    shutil.rmtree(directory)


@pytest_asyncio.fixture
async def entry(tmp_path: Path) -> AsyncIterator[str]:
    """An entry that leads to a server."""
    async with server(tmp_path) as (_, entry):
        yield entry


@pytest.fixture
def silent_entry() -> Iterator[str]:
    """An entry that leads to where nobody speaks."""
    with silent_port() as port:
        yield generate_server(ip="127.0.0.1", protocols={"OSSH": port}, host_key=host_key("rsa")).entry


class Run:
    """A command that has ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


def words(*arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-m", "headrace", *map(str, arguments))


async def run(*arguments: object) -> Run:
    process = await asyncio.create_subprocess_exec(
        *words(*arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(50):
        out, err = await process.communicate()
    assert b"Traceback" not in err
    assert process.returncode is not None
    return Run(process.returncode, out.decode(), err.decode())


def has_ended(process: int) -> bool:
    """Say whether a process has ended, though nobody may have asked for its exit code yet."""
    try:
        return bool(psutil.Process(process).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


class Terminal:
    """A command at a terminal, what it has shown so far, and a keyboard."""

    def __init__(self, ours: int, process: asyncio.subprocess.Process) -> None:
        self._ours = ours
        self.process = process
        self.shown = ""
        self._news = asyncio.Event()
        self._closed = False
        asyncio.get_running_loop().add_reader(ours, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._ours, 65_536)
        except OSError:  # the last one who had the other end has closed it
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._ours)
            self._closed = True
        self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode(errors="replace"))
        self._news.set()

    async def until(self, text: str) -> None:
        """Wait until a text has been shown."""
        while text not in self.shown:
            assert not self._closed, self.shown
            self._news.clear()
            await self._news.wait()

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    async def end(self) -> int:
        """Wait for the end of the command; return its exit code."""
        code = await self.process.wait()
        while not self._closed:
            self._news.clear()
            await self._news.wait()
        assert "Traceback" not in self.shown
        return code


@contextlib.asynccontextmanager
async def terminal(*arguments: object) -> AsyncIterator[Terminal]:
    """Run a command at a terminal of its own, where Ctrl-C does what it does."""
    try:
        ours, theirs = pty.openpty()
    except OSError:
        missing("a pseudo-terminal")
    lead = "import os, sys, fcntl, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    command = (sys.executable, "-c", lead + "os.execv(sys.argv[1], sys.argv[1:])", *words(*arguments))
    process = await asyncio.create_subprocess_exec(*command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = Terminal(ours, process)
    try:
        async with asyncio.timeout(50):
            yield shown
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)


async def test_connect_browse_disconnect(entry: str, origin: Origin) -> None:
    connected = await run("connect", "--entry", entry)
    assert connected.code == 0, connected.err
    assert "connected" in connected.out
    assert "curl --proxy socks5h://127.0.0.1:" in connected.out
    status = await run("status", "--json")
    assert status.code == 0
    now = json.loads(status.out)
    assert now["state"] == "connected"
    assert await fetch(now["ports"]["http"], origin) == PAGE
    told = await run("status")
    assert told.code == 0
    assert f"127.0.0.1:{now['ports']['socks']}" in told.out
    again = await run("connect", "--entry", entry)
    assert again.code == 0
    assert "running already" in again.out
    assert json.loads((await run("status", "--json")).out)["process"] == now["process"]
    ended = await run("disconnect")
    assert (ended.code, ended.out) == (0, "disconnected\n")
    assert has_ended(now["process"])
    assert (await run("status")).code == 3
    assert json.loads((await run("status", "--json")).out) == {"state": "not running"}
    nobody = await run("disconnect")
    assert (nobody.code, nobody.out) == (0, "not connected: no client is running\n")


async def test_it_outlives_the_terminal(entry: str) -> None:
    async with terminal("connect", "--entry", entry) as screen:
        await screen.until("headrace disconnect")
        assert await screen.end() == 0
    status = json.loads((await run("status", "--json")).out)
    assert status["state"] == "connected"
    assert os.getsid(status["process"]) == status["process"]
    assert (await run("disconnect")).code == 0


async def test_progress_is_shown_and_ctrl_c_ends_it(silent_entry: str, runtime: Path) -> None:
    async with terminal("connect", "--entry", silent_entry) as screen:
        await screen.until("connecting: 1 attempt")
        assert (await run("status")).code == 1
        screen.type(b"\x03")
        await screen.until("stopped")
        assert await screen.end() == 130
    assert (await run("status")).code == 3
    assert not list(runtime.rglob("*.socket"))


async def test_ctrl_c_may_leave_it_running(silent_entry: str) -> None:
    async with terminal("connect", "--entry", silent_entry, "--keep-trying") as screen:
        await screen.until("connecting: 1 attempt")
        screen.type(b"\x03")
        await screen.until("goes on in the background")
        assert await screen.end() == 130
    status = await run("status")
    assert status.code == 1
    assert "connecting" in status.out
    assert (await run("disconnect")).out == "disconnected\n"


async def test_waiting_for_so_long(silent_entry: str) -> None:
    started = await run("connect", "--entry", silent_entry, "--wait", 0)
    assert started.code == 0
    assert "goes on in the background" in started.out
    assert (await run("disconnect")).code == 0
    waited = await run("connect", "--entry", silent_entry, "--wait", 0.3)
    assert waited.code == 1
    assert "goes on in the background" in waited.out
    again = await run("connect", "--entry", silent_entry)
    assert again.code == 1
    assert "running already" in again.out


async def test_watching_until_it_ends(entry: str) -> None:
    assert (await run("connect", "--entry", entry)).code == 0
    async with terminal("status", "--watch", "--json") as screen:
        await screen.until('"state":"connected"')
        assert (await run("disconnect")).code == 0
        await screen.until('"state":"ended"')
        assert await screen.end() == 3
    async with terminal("status", "--watch") as screen:
        assert await screen.end() == 3


async def test_a_killed_client_is_not_there_and_stands_in_nobodys_way(entry: str) -> None:
    assert (await run("connect", "--entry", entry)).code == 0
    process = json.loads((await run("status", "--json")).out)["process"]
    async with terminal("status", "--watch") as screen:
        await screen.until("connected")
        os.kill(process, signal.SIGKILL)
        assert await screen.end() == 3
    assert (await run("status")).code == 3
    assert (await run("disconnect")).code == 0
    connected = await run("connect", "--entry", entry)
    assert connected.code == 0, connected.err
    assert (await run("disconnect")).out == "disconnected\n"


async def test_a_client_killed_while_connecting_is_told(silent_entry: str) -> None:
    async with terminal("connect", "--entry", silent_entry) as screen:
        await screen.until("connecting: 1 attempt")
        os.kill(json.loads((await run("status", "--json")).out)["process"], signal.SIGKILL)
        await screen.until("not connected: the client was killed")
        assert await screen.end() == 1


async def test_two_at_once_are_one(entry: str) -> None:
    runs = await asyncio.gather(*(run("connect", "--entry", entry) for _ in range(2)))
    assert 0 in [each.code for each in runs], [each.err for each in runs]
    assert {each.code for each in runs} <= {0, 1}
    assert sum("running already" in each.out for each in runs) == 1
    assert (await run("disconnect")).out == "disconnected\n"
    assert (await run("status")).code == 3


async def test_two_names_side_by_side(entry: str) -> None:
    first = await run("connect", "--entry", entry)
    second = await run("connect", "--entry", entry, "--name", "other")
    assert (first.code, second.code) == (0, 0)
    assert "headrace disconnect --name other" in second.out
    assert (await run("disconnect")).out == "disconnected\n"
    assert (await run("status", "--name", "other")).code == 0
    assert (await run("disconnect", "--name", "other")).out == "disconnected\n"


async def test_no_runtime_directory(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as directory:
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        monkeypatch.setenv("TMPDIR", directory)
        assert (await run("connect", "--entry", entry)).code == 0
        own = Path(directory) / f"headrace-{os.geteuid()}"
        assert own.stat().st_mode & 0o777 == 0o700
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(own / "missing"))  # as another session may have it
        assert (await run("disconnect")).out == "disconnected\n"


async def test_a_runtime_directory_that_cannot_be_used(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc")
        monkeypatch.setenv("TMPDIR", directory)
        assert (await run("connect", "--entry", entry)).code == 0
        assert (await run("disconnect")).out == "disconnected\n"
        os.chmod(Path(directory) / f"headrace-{os.geteuid()}", 0o777)
        refused = await run("connect", "--entry", entry)
        assert refused.code == 2
        assert "only you can enter" in refused.err


async def test_what_a_person_has_to_mend(tmp_path: Path, silent_entry: str) -> None:
    nothing = await run("connect")
    assert nothing.code == 2
    assert "--entry" in nothing.err
    missing_file = await run("connect", "--config", tmp_path / "no-such")
    assert missing_file.code == 2
    assert "does not exist" in missing_file.err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = await run("connect", "--entry", silent_entry, "--socks-port", port)
    assert refused.code == 2
    assert "LocalSocksProxyPort" in refused.err
    assert (await run("status")).code == 3


async def test_nobody_can_be_reached_in_time(tmp_path: Path, silent_entry: str) -> None:
    config = tmp_path / "client.config"
    fields = {**NETWORK, "TargetServerEntry": silent_entry, "EstablishTunnelTimeoutSeconds": 1}
    config.write_text(json.dumps(fields))
    done = await run("connect", "-config", config)
    assert done.code == 1
    assert "not connected: no server could be reached within 1s" in done.err


async def challenge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak for a proxy that takes no password."""
    answer = b'HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
    with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(answer)


async def test_a_password_that_the_upstream_proxy_refuses_is_told_of_and_not_told(
    tmp_path: Path, silent_entry: str, runtime: Path
) -> None:
    config, secret = tmp_path / "client.config", "hunter2"
    fields = {**NETWORK, "EmbeddedServerEntryList": [silent_entry], "DataRootDirectory": str(tmp_path)}
    config.write_text(json.dumps(fields))
    async with await asyncio.start_server(challenge, "127.0.0.1", 0) as proxy:
        url = f"http://ann:{secret}@127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        waited = await run("connect", "--config", config, "--upstream-proxy", url, "--wait", 2)
        assert waited.code == 1
        client = psutil.Process(json.loads((await run("status", "--json")).out)["process"])
        explained = await run("explain")
        assert "does not accept the user name and password" in explained.out
        assert "online" not in explained.out
        shown = [waited.out, waited.err, explained.out, (await run("status")).out, *client.cmdline()]
        assert (await run("disconnect")).code == 0
    assert not any(secret in text for text in shown)
    files = [path for place in (tmp_path, runtime) for path in place.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not any(secret.encode() in path.read_bytes() for path in files)


async def test_a_region_without_servers_is_told_and_waited_for(tmp_path: Path, silent_entry: str) -> None:
    config = tmp_path / "client.config"
    fields = {**NETWORK, "EmbeddedServerEntryList": [silent_entry], "EgressRegion": "ZZ"}
    config.write_text(json.dumps({**fields, "DataRootDirectory": str(tmp_path)}))
    waited = await run("connect", "--config", config, "--wait", 2)
    assert waited.code == 1
    status = await run("status")
    assert status.code == 1
    explained = await run("explain")
    assert "under way" in explained.out
    for told in (waited.err, status.out, explained.out):
        assert "EgressRegion" in told
    assert (await run("disconnect")).code == 0


async def test_why_it_is_connected_or_not(tmp_path: Path, entry: str) -> None:
    """Asked of the running client, and of what it left when it ended, in an orderly way or not."""
    config, data = tmp_path / "client.config", tmp_path / "data"
    data.mkdir()
    with silent_port() as port:
        pass
    dead = generate_server(ip="127.0.0.2", protocols={"OSSH": port}, host_key=host_key("rsa")).entry
    fields = {**NETWORK, "EmbeddedServerEntryList": [dead, entry], "DataRootDirectory": str(data)}
    config.write_text(json.dumps(fields))
    nothing = await run("explain")
    assert nothing.code == 1
    assert "nothing to explain" in nothing.err
    connected = await run("connect", "--config", config)
    assert connected.code == 0, connected.err
    while_up = await run("explain", "--json")
    record = json.loads(while_up.out)
    assert record["finished"] and record["connected"]
    assert "kept" in [trial["outcome"] for trial in record["trials"]]
    assert "127.0.0.1" not in while_up.out
    assert (await run("disconnect")).code == 0
    assert json.loads((await run("explain", "--json")).out)["trials"] == record["trials"]
    table = (await run("explain")).out
    assert "connected after" in table
    assert "in use" in table
    kept = list(data.rglob("establishment.json"))
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600]
    for note in (Path(os.environ["XDG_RUNTIME_DIR"]) / "headrace").iterdir():
        note.unlink()  # as after the machine was restarted
    assert (await run("explain")).code == 1
    assert (await run("explain", "--data-root-directory", data)).out == table
