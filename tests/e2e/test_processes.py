"""The programs as an operator and a user run them: start, serve, reload, stop, and what they say."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.processes import FOR_TESTS

from headrace.documents.entry_fields import decode_fields, encode_fields
from headrace.server.generate import CONFIG_FILE, TACTICS_FILE, TRAFFIC_RULES_FILE, generate_server
from headrace.testing.origin import PAGE, Origin
from headrace.testing.peers import host_key

PIPE = asyncio.subprocess.PIPE
WORKERS = pytest.mark.parametrize("workers", ["1", "2"])


class Program:
    """A running `headrace`, and every line it writes to standard error, as it comes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def line(self, text: str) -> str:
        """Return the first line with `text`, reading on if it has not come yet."""
        assert self.process.stderr is not None
        for line in self.lines:
            if text in line:
                return line
        while line := (await self.process.stderr.readline()).decode():
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"{text} never came: {self.lines}")

    async def notice(self, kind: str) -> Any:
        """Return the data of the client's first notice of a kind."""
        return json.loads(await self.line(f'"noticeType":"{kind}"'))["data"]

    async def end(self, number: int) -> int:
        """Send a signal, and return the exit code."""
        assert self.process.stderr is not None
        self.process.send_signal(number)
        async for line in self.process.stderr:
            self.lines.append(line.decode())
        return await self.process.wait()


@asynccontextmanager
async def program(*arguments: str | Path, patience: float = 45) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headrace", *map(str, arguments)), stdout=PIPE, stderr=PIPE
    )
    running = Program(process)
    try:
        async with asyncio.timeout(patience):
            yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def server(
    directory: Path, *, workers: str = "1", patience: float = 45, **settings: object
) -> AsyncIterator[tuple[Program, str]]:
    """Run a server on loopback; yields it and an entry that leads to it."""
    with silent_port() as port:
        generated = generate_server(ip="127.0.0.1", protocols={"OSSH": port}, host_key=host_key("rsa"))
        generated.write(directory)
        path = directory / CONFIG_FILE
        path.write_text(json.dumps({**json.loads(path.read_bytes()), **FOR_TESTS, **settings}))
    words = ["--listen", "127.0.0.1", "--workers", workers]
    async with program("server", "run", "--config", path, *words, patience=patience) as running:
        assert running.process.stdout is not None
        assert f"OSSH on port {port}" in (await running.process.stdout.readline()).decode()
        yield running, generated.entry


@contextmanager
def silent_port() -> Iterator[int]:
    """A port where connections are made but nobody speaks."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


async def fetch(port: int, origin: Origin) -> bytes:
    """Fetch the origin's page through an HTTP proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {origin.url()} HTTP/1.0\r\n\r\n".encode())
    try:
        return (await reader.read()).partition(b"\r\n\r\n")[2]
    finally:
        writer.close()


@WORKERS
async def test_a_user_behind_an_operators_server(workers: str, tmp_path: Path, origin: Origin) -> None:
    async with server(tmp_path, workers=workers) as (running, entry):
        async with program("client", "--entry", entry) as client:
            port = (await client.notice("ListeningHttpProxyPort"))["port"]
            await client.line('{"data":{"count":1},"noticeType":"Tunnels"')
            assert await fetch(port, origin) == PAGE
            assert await client.end(signal.SIGINT) == 0
            assert '"noticeType":"Exiting"' in client.lines[-1]
        assert await running.end(signal.SIGTERM) == 0
    assert not any("Traceback" in line for line in [*running.lines, *client.lines])


@WORKERS
async def test_a_bad_file_changes_nothing_on_reload(workers: str, tmp_path: Path, origin: Origin) -> None:
    async with server(tmp_path, workers=workers) as (running, entry):
        for name in (TRAFFIC_RULES_FILE, TACTICS_FILE):
            good = (tmp_path / name).read_bytes()
            (tmp_path / name).write_bytes(b"{")
            running.process.send_signal(signal.SIGHUP)
            assert "the old state stays" in await running.line(f"{name}:1: not JSON")
            (tmp_path / name).write_bytes(good)
        running.process.send_signal(signal.SIGHUP)
        await running.line('"event":"reloaded"')
        async with program("client", "--entry", entry) as client:
            port = (await client.notice("ListeningHttpProxyPort"))["port"]
            await client.line('{"data":{"count":1},"noticeType":"Tunnels"')
            assert await fetch(port, origin) == PAGE


@WORKERS
async def test_a_server_says_what_it_does_not_do(workers: str, tmp_path: Path) -> None:
    settings = {"TunnelProtocolPorts": {"OSSH": 0, "QUIC-OSSH": 1}, "NoSuchField": 1, "LogLevel": "debug"}
    generated = generate_server(ip="127.0.0.1", protocols={"OSSH": 1}, host_key=host_key("rsa"))
    generated.write(tmp_path)
    path = tmp_path / CONFIG_FILE
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **settings, **FOR_TESTS}))
    async with program("server", "run", "--config", path, "--workers", workers) as running:
        assert json.loads(await running.line("QUIC-OSSH"))["level"] == "warning"
        assert json.loads(await running.line("AllowBogons"))["level"] == "warning"
        assert json.loads(await running.line("NoSuchField"))["level"] == "debug"
        assert running.process.stdout is not None
        await running.process.stdout.readline()
        assert await running.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_client_that_finds_nobody_ends_when_told(number: int, tmp_path: Path) -> None:
    with silent_port() as port:
        entry = generate_server(ip="127.0.0.1", protocols={"OSSH": port}, host_key=host_key("rsa")).entry
        async with program("client", "--entry", entry) as client:
            await client.notice("Tunnels")
            assert await client.end(number) == 0
    assert '"noticeType":"Exiting"' in client.lines[-1]


async def test_a_client_that_finds_nobody_in_time_says_so(tmp_path: Path) -> None:
    line = generate_server(ip="127.0.0.1", protocols={"OSSH": 1}, host_key=host_key("rsa")).entry
    entry = encode_fields({**decode_fields(line), "sshObfuscatedPort": 1})
    (tmp_path / "client.json").write_text(
        json.dumps(
            {
                "PropagationChannelId": "F" * 16,
                "SponsorId": "F" * 16,
                "TargetServerEntry": entry,
                "EstablishTunnelTimeoutSeconds": 1,
            }
        )
    )
    async with program("client", "-config", tmp_path / "client.json") as client:
        assert await client.notice("EstablishTunnelTimeout") == {"timeout": "1s"}
        await client.notice("Exiting")
        assert await client.process.wait() == 0
