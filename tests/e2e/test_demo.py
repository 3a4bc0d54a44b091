"""`headrace demo` as a person runs it: what it proves, how it fails, and that it leaves nothing behind."""

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from headrace.base.errors import NetworkError
from headrace.demo import transfer
from headrace.testing import origin
from headrace.testing.loopback import LoopbackNetwork
from headrace.testing.origin import PAGE

KEPT = b"The network stays up."


@asynccontextmanager
async def demo(directory: Path, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the demonstration with its temporary files in `directory`; nothing of it may survive."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headrace", "demo", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(directory)},
    )
    try:
        async with asyncio.timeout(45):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert list(directory.iterdir()) == []
    assert commands_about(directory) == []


def commands_about(directory: Path) -> list[str]:
    """Return the command lines of running processes that mention the directory."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in lines if str(directory) in line]


async def test_everything_is_verified(tmp_path: Path) -> None:
    async with demo(tmp_path, "--json", "--megabytes", "3") as process:
        output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    summary = json.loads(output)
    assert summary["verified"]
    assert summary["bytes_blocked"]
    assert summary["servers_tried"] == 2
    assert [summary[way]["bytes"] for way in ("down", "up")] == [3_000_000, 3_000_000]
    first = {
        name: [bytes.fromhex(data) for data in directions.values()]
        for name, directions in summary["first_bytes"].items()
    }
    assert all(len(data) == 64 for pair in first.values() for data in pair)
    request, answer = first["with a prefix"]
    assert request.startswith(b"POST /")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert not any(data.startswith((b"POST", b"HTTP", b"SSH-")) for data in first["without a prefix"])


async def test_what_a_person_sees(tmp_path: Path) -> None:
    async with demo(tmp_path, "--megabytes", "1") as process:
        output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    for text in ("censor", "through the HTTP proxy", "1 MB up", "POST /", "SOCKS proxy 127.0.0.1:"):
        assert text in output.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_stays_up_until_it_is_told_to_end(number: int, tmp_path: Path) -> None:
    async with demo(tmp_path, "--keep", "--megabytes", "1") as process:
        assert process.stdout is not None
        before = await process.stdout.readuntil(KEPT)
        proxy = before.decode().partition("HTTP proxy 127.0.0.1:")[2].split()[0]
        after = await process.stdout.readuntil(b"Ctrl-C")
        page = after.decode().partition("http://127.0.0.1:")[2].partition("/")[0]
        reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy))
        writer.write(f"GET http://127.0.0.1:{page}/ HTTP/1.0\r\n\r\n".encode())
        assert (await reader.read()).endswith(PAGE)
        writer.close()
        process.send_signal(number)
        process.send_signal(number)  # impatience changes nothing
        await process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", [b"two servers run", b"fetched a page"])
async def test_breaking_off_is_no_success(number: int, moment: bytes, tmp_path: Path) -> None:
    async with demo(tmp_path, "--megabytes", "200") as process:
        assert process.stdout is not None
        await process.stdout.readuntil(moment)
        process.send_signal(number)
        _, errors = await process.communicate()
    assert (process.returncode, errors) == (130, b"")


async def test_a_reader_that_has_gone_ends_it(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headrace", "demo", "--megabytes", "1"),
        stdout=writing,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    os.close(writing)
    _, errors = await process.communicate()
    assert process.returncode != 0
    assert b"Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
    assert commands_about(tmp_path) == []


# ---- the checks can fail


async def test_a_changed_byte_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    true = origin.payload(10_000)
    monkeypatch.setattr(transfer, "payload", lambda size: true[:-1] + bytes([true[-1] ^ 1]))
    async with LoopbackNetwork() as network:
        ports = network.socks_port, network.origin.port
        with pytest.raises(NetworkError):
            await transfer.download(*ports, 10_000, lambda count: None)


async def test_a_wrong_digest_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with LoopbackNetwork() as network:
        monkeypatch.setattr(origin, "hashlib", SimpleNamespace(sha256=lambda: hashlib.sha256(b"more")))
        with pytest.raises(NetworkError):
            await transfer.upload(network.socks_port, network.origin.port, 10_000, lambda count: None)


async def test_another_page_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PAGE", PAGE + b"!")
    async with LoopbackNetwork() as network:
        with pytest.raises(NetworkError):
            await transfer.fetch_page(network.http_port, network.origin.port)
