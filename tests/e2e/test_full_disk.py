"""A server whose disk is full, with everything it writes on that disk: a tiny one of its own."""

import asyncio
import json
import os
import sys
from pathlib import Path

from tests.e2e.test_server_processes import connected
from tests.interop.programs import missing, program, running
from tests.namespaces import Machine
from tests.processes import make_server

from headrace.documents.server_entry import ServerEntry
from headrace.server.generate import CONFIG_FILE

#: The disk is empty when the server starts; its configuration is elsewhere.
_START = 'mount -t tmpfs -o size=512k tmpfs "$1" && shift && exec "$@"'
_FILL = 'cat /dev/zero > "$1/filler" 2> /dev/null; test -s "$1/filler"'


async def test_a_full_disk_costs_no_tunnel(tmp_path: Path) -> None:
    if sys.platform != "linux" or os.geteuid():
        missing("Linux with root's rights")
    files, disk = tmp_path / "files", tmp_path / "disk"
    files.mkdir()
    disk.mkdir()
    logs: dict[str, object] = {
        "LogFilename": str(disk / "server.log"),
        "EventLogFilename": str(disk / "events.log"),
    }
    entry = ServerEntry.decode(make_server(files, None, LogLevel="debug", **logs))
    run = "-m", "headrace", "server", "run", "--config", files / CONFIG_FILE, "--data-directory", disk
    ways = "--listen", "127.0.0.1", "--workers", "2"
    command = program("unshare"), "--mount", "--", "sh", "-c", _START, "sh", disk, sys.executable, *run, *ways
    async with running(*command, directory=tmp_path) as server:
        await server.says("OSSH on port")
        inside = Machine(server.process.pid, tmp_path)
        before = await connected(entry)
        await inside.do("sh", "-c", _FILL, "sh", disk)
        # Enough of them that each worker has some, and each finds no room.
        during = await asyncio.gather(*(connected(entry) for _ in range(20)))
        await inside.do("rm", disk / "filler")
        after = [await connected(entry) for _ in range(10)]
        for tunnel in (before, *during, *after):
            assert await tunnel.request(b"keepalive@openssh.com", b"")
            tunnel.close()
        told = [json.loads(line) for line in (await inside.do("cat", disk / "server.log")).splitlines()]
        events = [json.loads(line) for line in (await inside.do("cat", disk / "events.log")).splitlines()]
    assert told, "nothing is in the log"
    assert events, "nothing is in the log of events"
    assert not [line for line in server.lines if "Traceback" in line]
