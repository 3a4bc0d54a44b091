"""A server of several processes on loopback: what they share, what they survive, how they end."""

import asyncio
import json
import os
import signal
from collections.abc import Iterable
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from tests.e2e.test_processes import Program, program, server
from tests.memory_network import make_tunnel

from headrace.base.rng import SYSTEM_RNG
from headrace.client.tunnel import Tunnel
from headrace.documents.server_entry import ServerEntry
from headrace.server.control_client import find_server
from headrace.server.generate import CONFIG_FILE
from headrace.transports import ClientSide, tunnel_protocol

WORKERS = pytest.mark.parametrize("workers", ["1", "2"])
#: How long a connection that does not get through is kept, in milliseconds: so long a test must wait for it.
SHORT = 1500
PROBES = 24
#: Seconds in which a worker that was killed is back however busy the machine is; a second is usual.
FAR_TOO_LONG = 10.0


def preamble(entry: ServerEntry) -> bytes:
    """Return the first bytes of a client, as somebody on the path would record them."""
    side = ClientSide(entry.ssh_obfuscated_key.encode(), SYSTEM_RNG)
    opening = tunnel_protocol("OSSH").client_layer(side).connected()
    assert opening is not None
    return b"".join(opening.segments)


async def answer(entry: ServerEntry, data: bytes) -> bytes:
    """Send `data` over a fresh connection; return all that comes back until the server ends it."""
    reader, writer = await asyncio.open_connection(entry.ip_address, entry.ssh_obfuscated_port)
    writer.write(data)
    try:
        return await reader.read()
    finally:
        writer.close()


async def answered(entry: ServerEntry, data: bytes, times: int) -> int:
    """Send the same bytes over so many connections at once; return how many of them were answered."""
    replies = await asyncio.gather(*(answer(entry, data) for _ in range(times)))
    return sum(bool(reply) for reply in replies)


async def connected(entry: ServerEntry) -> Tunnel:
    tunnel = make_tunnel(entry, rng=SYSTEM_RNG)
    await tunnel.connect()
    await tunnel.handshake()
    return tunnel


def workers_of(running: Program) -> list[psutil.Process]:
    return list(psutil.Process(running.process.pid).children())


async def end_of(processes: Iterable[psutil.Process]) -> None:
    """Wait until all of them are gone."""
    _, alive = await asyncio.to_thread(psutil.wait_procs, list(processes), 30)
    assert not alive


def arguments(directory: Path, workers: str) -> list[str | Path]:
    """What runs the server in `directory`."""
    return ["--config", directory / CONFIG_FILE, "--listen", "127.0.0.1", "--workers", workers]


async def lines(running: Program, text: str, count: int) -> None:
    """Read on until so many lines with `text` have come."""
    assert running.process.stderr is not None
    while sum(text in line for line in running.lines) < count:
        line = (await running.process.stderr.readline()).decode()
        assert line, f"{text} never came {count} times: {running.lines}"
        running.lines.append(line)


@WORKERS
async def test_a_replay_is_refused_by_every_worker_and_after_a_restart(tmp_path: Path, workers: str) -> None:
    async with server(tmp_path, workers=workers, SSHHandshakeTimeoutMilliseconds=SHORT) as (running, line):
        entry = ServerEntry.decode(line)
        recorded = preamble(entry)
        assert await answered(entry, recorded, PROBES) == 1
        assert await answered(entry, recorded, PROBES) == 0
        assert await running.end(signal.SIGTERM) == 0
    async with program("server", "run", *arguments(tmp_path, workers)) as running:
        assert running.process.stdout is not None
        assert b"OSSH on port" in await running.process.stdout.readline()
        assert await answered(entry, recorded, PROBES) == 0
        assert await answered(entry, preamble(entry), PROBES) == 1


async def test_a_killed_worker_is_replaced_and_the_service_goes_on(tmp_path: Path) -> None:
    """While tunnels are busy. A seed that the lost worker had accepted stays used."""
    settings = {"SSHHandshakeTimeoutMilliseconds": SHORT}
    async with server(tmp_path, workers="2", patience=90, **settings) as (running, line):
        entry = ServerEntry.decode(line)
        recorded = [preamble(entry) for _ in range(PROBES)]
        for data in recorded:
            assert await answered(entry, data, 1) == 1
        tunnels = [await connected(entry) for _ in range(24)]
        load = [asyncio.create_task(busy(tunnel)) for tunnel in tunnels]
        victim, survivor = workers_of(running)
        victim.kill()
        await running.line("lost a worker")
        newcomers = [await connected(entry) for _ in range(6)]  # the other one serves them
        back = json.loads(await running.line("a worker is back"))
        assert back["started_in"] < FAR_TOO_LONG
        assert len(workers_of(running)) == 2
        assert survivor in workers_of(running)
        alive = [tunnel for tunnel in tunnels if not tunnel.ended.done()]
        assert 0 < len(alive) < len(tunnels), "all tunnels were on one worker, which is next to impossible"
        for task in load:
            task.cancel()
        for tunnel in (*alive, *newcomers):
            assert await tunnel.request(b"keepalive@openssh.com", b"")
        again = await asyncio.gather(*(answered(entry, data, 4) for data in recorded))
        assert sum(again) == 0
        running.process.send_signal(signal.SIGHUP)
        assert json.loads(await running.line('"event":"reloaded"'))["workers"] == 2
        for tunnel in (*alive, *newcomers):
            tunnel.close()
        assert await running.end(signal.SIGTERM) == 0


async def busy(tunnel: Tunnel) -> None:
    """Keep a tunnel at work until it is lost."""
    while not tunnel.ended.done():
        await tunnel.request(b"keepalive@openssh.com", b"")


async def test_a_worker_that_hangs_hinders_nobody(tmp_path: Path) -> None:
    """How it is ended after a while is tested on virtual time."""
    async with server(tmp_path, workers="2") as (running, _):
        victim, _ = workers_of(running)
        victim.suspend()
        with find_server(tmp_path) or pytest.fail("no control socket") as control:
            status = await asyncio.to_thread(control.status)
        assert [worker.ready for worker in status.workers] == [True, True]
        running.process.send_signal(signal.SIGTERM)
        await lines(running, '"event":"stopping"', 1)
        running.process.send_signal(signal.SIGTERM)
        assert await running.process.wait() == 0
        await end_of([victim])


@WORKERS
async def test_open_tunnels_may_end_by_themselves_while_nobody_new_is_let_in(
    tmp_path: Path, workers: str
) -> None:
    async with server(tmp_path, workers=workers) as (running, line):
        entry = ServerEntry.decode(line)
        tunnel = await connected(entry)
        running.process.send_signal(signal.SIGTERM)
        await lines(running, '"event":"stopping"', int(workers))
        assert await tunnel.request(b"keepalive@openssh.com", b"")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(entry.ip_address, entry.ssh_obfuscated_port)
        tunnel.close()
        assert await running.process.wait() == 0


@WORKERS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_asked_twice_it_does_not_wait_for_anybody(tmp_path: Path, workers: str, number: int) -> None:
    async with server(tmp_path, workers=workers) as (running, line):
        tunnel = await connected(ServerEntry.decode(line))
        children = workers_of(running)
        running.process.send_signal(number)
        await lines(running, '"event":"stopping"', int(workers))
        running.process.send_signal(number)
        async with asyncio.timeout(20):  # well below the thirty seconds of grace
            assert await running.process.wait() == 0
            await tunnel.ended
        await end_of(children)


async def test_workers_do_not_outlive_their_supervisor(tmp_path: Path) -> None:
    async with server(tmp_path, workers="2") as (running, line):
        children = workers_of(running)
        assert len(children) == 2
        os.kill(running.process.pid, signal.SIGKILL)
        await running.process.wait()
        await end_of(children)
        entry = ServerEntry.decode(line)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(entry.ip_address, entry.ssh_obfuscated_port)


@WORKERS
async def test_the_same_server_run_twice_is_told_so_in_one_line(tmp_path: Path, workers: str) -> None:
    """The second one could share the port, and would get half of the connections."""
    async with server(tmp_path, workers=workers) as (_, line):
        async with program("server", "run", *arguments(tmp_path, workers)) as second:
            output, errors = await second.process.communicate()
        told = [text for text in errors.decode().splitlines() if not text.startswith("{")]
        assert second.process.returncode == 2
        assert len(told) == 1
        assert f"port {ServerEntry.decode(line).ssh_obfuscated_port}" in told[0]
        assert output == b""
