"""Desktops whose settings a client changes and puts back: at its end, or after a kill at any step."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.e2e.test_processes import Program, program, server, silent_port
from tests.interop.programs import missing
from tests.interop.programs import program as system_program

from headrace.client.system_proxy import user_settings
from headrace.desktop.choice import find_desktop
from headrace.desktop.settings import Desktop, Proxies
from headrace.server.generate import generate_server
from headrace.testing.origin import PAGE, Origin
from headrace.testing.peers import host_key

PROXIES = Proxies("127.0.0.1", 8080, 1080)
DESKTOPS = pytest.mark.parametrize("desktop", ["gnome", "kde", "environment"], indirect=True)

#: Changes a desktop's settings and puts them back, but dies before it runs a program, or touches a file.
STEPS = """
import os, pathlib, signal, subprocess, sys
steps = int(sys.argv[2])

def dying(act):
    def step(*arguments, **options):
        global steps
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*arguments, **options)
    return step

for module, name in ((subprocess, "run"), (os, "fsync"), (os, "replace"), (os, "unlink")):
    setattr(module, name, dying(getattr(module, name)))

from headrace.desktop.choice import find_desktop
from headrace.desktop.settings import Proxies
from headrace.desktop.system_proxy import SystemProxy
directory = pathlib.Path(sys.argv[3])
settings = SystemProxy(directory, lambda name: find_desktop(name, directory))
with settings.held():
    settings.apply(settings.find(sys.argv[1]), Proxies("127.0.0.1", 8080, 1080))
    print("applied", flush=True)
    settings.restore()
"""

#: No browser is to look up names, or to go anywhere on its own behalf.
QUIET = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home of the test's own; the directory there where what is changed is noted."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("GSETTINGS_BACKEND", "keyfile")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    directory = tmp_path / "data" / "headrace"
    directory.mkdir(parents=True)
    (tmp_path / ".config").mkdir()
    return directory


@pytest.fixture
def desktop(request: pytest.FixtureRequest, data: Path) -> Desktop:
    name: str = getattr(request, "param", "gnome")
    if name == "gnome":
        system_program("gsettings")
    elif name == "kde" and not (shutil.which("kwriteconfig6") or shutil.which("kwriteconfig5")):
        missing("kwriteconfig6 or kwriteconfig5")
    return find_desktop(name, data)


@pytest_asyncio.fixture
async def entry(tmp_path: Path) -> AsyncIterator[str]:
    async with server(tmp_path / "server") as (_, entry):
        yield entry


@contextlib.asynccontextmanager
async def changing_client(entry: str, desktop: Desktop) -> AsyncIterator[Program]:
    """A client that has just changed the desktop's settings."""
    async with program("client", "--entry", entry, "--system-proxy", desktop.name) as client:
        assert await client.notice("SystemProxy") == {"desktop": desktop.name}
        yield client


async def ports(client: Program) -> Proxies:
    socks, http = [(await client.notice(f"Listening{kind}ProxyPort"))["port"] for kind in ("Socks", "Http")]
    return Proxies("127.0.0.1", http, socks)


def status() -> int:
    return subprocess.run((sys.executable, "-m", "headrace", "system-proxy", "status")).returncode


@DESKTOPS
async def test_from_the_first_tunnel_to_the_end(entry: str, desktop: Desktop) -> None:
    before = desktop.read()
    async with changing_client(entry, desktop) as client:
        assert desktop.read() == desktop.settings(await ports(client))
        assert status() == 0
        assert await client.end(signal.SIGTERM) == 0
    assert desktop.read() == before
    assert status() == 3


async def test_a_closed_terminal(entry: str, desktop: Desktop) -> None:
    before = desktop.read()
    async with changing_client(entry, desktop) as client:
        assert await client.end(signal.SIGHUP) == 0
    assert desktop.read() == before


@pytest.mark.parametrize("desktop", ["environment"], indirect=True)
async def test_programs_go_through_it(entry: str, desktop: Desktop, data: Path, origin: Origin) -> None:
    # What is on this machine would be fetched without a proxy, but for --noproxy.
    script = f". {data}/proxy.sh; exec \"$0\" -q --silent --noproxy '' {origin.url()}"
    command = ("/bin/sh", "-euc", script, system_program("curl"))

    async def fetch() -> bytes:
        return (await asyncio.to_thread(subprocess.run, command, stdout=subprocess.PIPE, env={})).stdout

    async with changing_client(entry, desktop) as client:
        assert await fetch() == PAGE
        await client.end(signal.SIGKILL)
    assert await fetch() == b""  # they still do, to where nobody is
    with user_settings().held():
        user_settings().restore()
    assert await fetch() == PAGE


@pytest.mark.parametrize("desktop", ["environment"], indirect=True)
async def test_in_the_background(
    entry: str, desktop: Desktop, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    for words in ("connect", "--entry", entry, "--system-proxy", desktop.name), ("disconnect",):
        command = (sys.executable, "-m", "headrace", *words)
        assert (await asyncio.to_thread(subprocess.run, command)).returncode == 0
    assert "then unset http_proxy" in (data / "proxy.sh").read_text()  # it was set before
    assert status() == 3


@DESKTOPS
async def test_a_browser_finds_the_proxy(
    desktop: Desktop, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):  # a browser connects before it has a question
            asked.append((await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0])
            writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nby way of the proxy")
        writer.close()

    asked: list[bytes] = []
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", {"gnome": "GNOME", "kde": "KDE"}.get(desktop.name, ""))
    monkeypatch.setenv("KDE_SESSION_VERSION", "5")
    browser = (system_program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", *QUIET)
    script = f'[ ! -e {data}/proxy.sh ] || . {data}/proxy.sh; exec "$@"'
    words = ("--dump-dom", f"--user-data-dir={tmp_path}/profile", "http://page.example/")
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as proxy:
        desktop.write(desktop.settings(Proxies("127.0.0.1", proxy.sockets[0].getsockname()[1], None)))
        command = ("/bin/sh", "-euc", script, "sh", *browser, *words)
        done = await asyncio.to_thread(subprocess.run, command, stdout=subprocess.PIPE)
    assert b"by way of the proxy" in done.stdout
    assert b"GET http://page.example/ HTTP/1.1" in asked


@DESKTOPS
async def test_a_killed_client_is_tidied_up_after_by_the_next(entry: str, desktop: Desktop) -> None:
    before = desktop.read()
    async with changing_client(entry, desktop) as client:
        left = desktop.settings(await ports(client))
        await client.end(signal.SIGKILL)
    assert desktop.read() == left
    assert status() == 1
    with silent_port() as port:
        nobody = generate_server(ip="127.0.0.1", protocols={"OSSH": port}, host_key=host_key("rsa")).entry
        async with program("client", "--entry", nobody) as client:
            await client.notice("Tunnels")
            assert desktop.read() == before
    assert status() == 3


async def test_two_clients(entry: str, desktop: Desktop) -> None:
    async with changing_client(entry, desktop) as client:
        changed = desktop.read()
        async with program("client", "--entry", entry, "--system-proxy", "environment") as second:
            assert f"process {client.process.pid} has them" in await second.line("headrace: ")
            assert await second.process.wait() == 1
        async with program("client", "--entry", entry) as third:
            await third.notice("ConnectedServerRegion")
            assert await third.end(signal.SIGTERM) == 0
        assert desktop.read() == changed
        assert await client.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("desktop", ["gnome", "environment"], indirect=True)
def test_a_kill_at_any_step(desktop: Desktop, data: Path) -> None:
    desktop.write(desktop.settings(Proxies("127.0.0.2", 3128, 3129)))
    before, settings = desktop.read(), user_settings()
    seen = set()
    for step in range(100):
        command = (sys.executable, "-c", STEPS, desktop.name, str(step), str(data))
        done = subprocess.run(command, capture_output=True, text=True)
        with settings.held():
            seen.add((done.stdout, settings.restore()))
        assert desktop.read() == before, f"after step {step}"
        if done.returncode != -signal.SIGKILL:
            break
    assert (done.returncode, done.stderr) == (0, "")
    assert seen == {("", False), ("", True), ("applied\n", True), ("applied\n", False)}
