"""Attack: somebody gets hold of a server, and of all it ever wrote or told, to learn who its users are.

A thousand clients come from as many addresses, and strangers from others. While they are there, and again
after the end, everything is searched that can be read without being the server: files, logs, events, the
metrics page, what the commands tell, what the processes share.
"""

import asyncio
import ipaddress
import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.e2e.test_processes import Program, program, server
from tests.e2e.test_server_processes import workers_of
from tests.interop.programs import unused_port
from tests.local_address import From

from headrace.base.rng import SeededRng
from headrace.client import api
from headrace.client.tunnel import Tunnel
from headrace.documents.client_config import read_client_config
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import choose
from headrace.server.generate import CONFIG_FILE
from headrace.server.process import SEED_FILE
from headrace.ssh.forwarding import Destination
from headrace.testing.peers import RecordingEndpoint

CLIENTS = 1000
STRANGERS = 100
AT_ONCE = 50
STATUS = (("status",), ("status", "--json"))
CONFIG = json.dumps({"PropagationChannelId": "0123456789ABCDEF", "SponsorId": "0123456789ABCDEF"})


def addresses(second: int, count: int) -> list[str]:
    """Return distinct loopback addresses whose digits are found nowhere by chance."""
    return [f"127.{second}.{100 + number // 100}.{100 + number % 100}" for number in range(count)]


USERS = addresses(207, CLIENTS)
OTHERS = addresses(213, STRANGERS)
NUMBERS = {b"%d" % int(ipaddress.ip_address(address)): address for address in (*USERS, *OTHERS)}


async def user(entry: ServerEntry, number: int) -> Tunnel:
    """Do what a client does that has a tunnel, and tell the server more of itself than any should."""
    rng = SeededRng(number)
    identity = api.Identity.from_config(read_client_config(CONFIG.encode()))
    address = USERS[number]
    tunnel = Tunnel(choose(entry, "OSSH", rng), identity, rng, lambda name, payload: b"", From(address))
    await tunnel.connect()
    response = await tunnel.handshake()
    assert response.client_address.startswith(address), "the server does not see where we come from"
    await tunnel.request(b"psiphon-connected", json.dumps(request(identity, last_connected="None")).encode())
    failed = {
        "session_id": "0" * 32,
        "last_connected": "None",
        "client_failed_timestamp": "2026-01-01T00:00:00Z",
        "relay_protocol": "OSSH",
        "server_entry_tag": "dGFn",
        "tunnel_error": f"dial tcp {address}:40000->192.0.2.1:443: connection refused [::ffff:{address}]",
        **request(identity),
    }
    data = {"host_bytes": {address: 1}, "failed_tunnel_stats": [failed], "remote_server_list_stats": []}
    status = json.dumps(request(identity, statusData=data)).encode()
    assert await tunnel.request(b"psiphon-status", status) is not None
    return tunnel


def request(identity: api.Identity, **more: object) -> dict[str, object]:
    return {
        "propagation_channel_id": identity.config.propagation_channel_id,
        "sponsor_id": identity.config.sponsor_id,
        "client_version": "1",
        "client_platform": "Linux",
        **more,
    }


async def stranger(entry: ServerEntry, address: str) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection(
        entry.ip_address, entry.ssh_obfuscated_port, local_addr=(address, 0)
    )
    writer.write(bytes(1 << 17))  # so much that no prefix can end any more
    await writer.drain()
    return writer


def traces(data: bytes) -> set[str]:
    """Return the addresses that `data` tells, in one of the ways that they are written."""
    dotted = {match.decode() for match in re.findall(rb"127\.(?:207|213)\.\d+\.\d+", data)}
    return dotted | {NUMBERS[number] for number in NUMBERS.keys() & set(re.findall(rb"\d+", data))}


def packed_traces(data: bytes) -> set[str]:
    """Return the addresses whose four octets are in `data`: for files that are the same in each run."""
    return {address for address in (*USERS, *OTHERS) if ipaddress.ip_address(address).packed in data}


def shared_memory(process_id: int) -> Iterator[bytes]:
    """Return what a process shares with others and can be written to."""
    maps = Path(f"/proc/{process_id}/maps").read_text().splitlines()
    with open(f"/proc/{process_id}/mem", "rb", 0) as memory:
        for line in maps:
            span, permissions, *_ = line.split()
            if permissions.startswith("rw") and permissions.endswith("s"):
                begin, end = (int(part, 16) for part in span.split("-"))
                memory.seek(begin)
                yield memory.read(end - begin)


async def told(directory: Path, *words: str) -> bytes:
    """Return what a command says of the server."""
    async with program("server", *words, "--config", directory / CONFIG_FILE) as running:
        output, errors = await running.process.communicate()
    return output + errors


async def page(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    try:
        return await reader.read()
    finally:
        writer.close()


def search(directory: Path, running: Program) -> dict[str, set[str]]:
    """Search the files and what was printed; return what was found, and where."""
    found = {str(path): traces(path.read_bytes()) for path in directory.rglob("*") if path.is_file()}
    found["output"] = traces("".join(running.lines).encode())
    return {place: hits for place, hits in found.items() if hits}


@pytest.mark.timeout(180)
async def test_no_address_of_a_client_is_anywhere(tmp_path: Path) -> None:
    metrics = unused_port()
    settings = {
        "LogFilename": str(tmp_path / "server.log"),
        "EventLogFilename": str(tmp_path / "events.log"),
        "LogLevel": "debug",
        "MetricsAddress": f"127.0.0.1:{metrics}",
        "MetricsMinimumClients": 1,
        "LoadMonitorPeriodSeconds": 3600,
    }
    async with server(tmp_path, workers="2", patience=150, **settings) as (running, line):
        entry = ServerEntry.decode(line)
        gate = asyncio.Semaphore(AT_ONCE)

        async def come(number: int) -> Tunnel:
            async with gate:
                return await user(entry, number)

        probes = [await stranger(entry, address) for address in OTHERS]
        tunnels = await asyncio.gather(*map(come, range(CLIENTS)))
        for tunnel in tunnels[:20]:
            tunnel.open(Destination("127.0.0.1", 25), RecordingEndpoint())
        children = [process.pid for process in workers_of(running)]

        answers = [
            await page(metrics),
            await told(tmp_path, "status"),
            await told(tmp_path, "status", "--json"),
        ]
        assert b"200 OK" in answers[0], "there is no metrics page"
        assert all(re.search(rb"1,?000\b", answer) for answer in answers), answers
        for answer in answers:
            assert not traces(answer)
        for process in (running.process.pid, *children):
            for region in shared_memory(process):
                assert not traces(region) | packed_traces(region)
        assert not search(tmp_path, running)
        seeds = (tmp_path / SEED_FILE).read_bytes() + (tmp_path / f"{SEED_FILE}-wal").read_bytes()
        assert len(seeds) > 16 * CLIENTS
        assert not packed_traces(seeds)

        for probe in probes:
            probe.close()
        for tunnel in tunnels:
            tunnel.close()
        running.process.send_signal(signal.SIGUSR2)
        assert await running.end(signal.SIGTERM) == 0
    assert not search(tmp_path, running)
    events = [json.loads(text)["event_name"] for text in (tmp_path / "events.log").read_text().splitlines()]
    assert {"server_tunnel", "unique_user", "failed_tunnel", "irregular_tunnel", "server_load"} <= set(events)
    assert events.count("server_tunnel") == CLIENTS
    with closing(sqlite3.connect(tmp_path / SEED_FILE)) as database:
        assert {len(seed) for (seed,) in database.execute("SELECT seed FROM seed")} == {16}
