"""Stopping a client on real sockets, at each thing it tells: no task, socket or thread is left."""

import asyncio
import io
import os
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.rng import SeededRng
from headrace.client.controller import Controller
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.servers import FixedServers
from headrace.documents.client_config import read_client_config
from headrace.documents.server_entry import ServerEntry
from headrace.testing.dead_ends import refusing, silent
from headrace.testing.entries import make_entries
from headrace.testing.loopback import LoopbackServer

pytestmark = pytest.mark.both_loops

#: Things told from the start of a run to a tunnel that is in use.
STEPS = 40


def sockets() -> set[str]:
    """Return the sockets that this process has open."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(link)
        except OSError:  # the descriptor that lists them
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


async def test_at_each_step() -> None:
    addresses = [f"127.0.0.{number}" for number in range(2, 8)]
    with refusing() as closed, silent(addresses) as mute:
        async with LoopbackServer() as server:
            made = make_entries(len(addresses), capabilities=["OSSH"])
            entries = [server.entry]
            for number, (fields, address) in enumerate(zip(made, addresses, strict=True)):
                port = closed if number % 2 else mute
                entries.append(
                    ServerEntry.from_fields({**fields, "ipAddress": address, "sshObfuscatedPort": port})
                )
            await stop_at(entries, STEPS)  # what the first run of all opens for good is open now
            for step in range(STEPS):
                await stop_at(entries, step)


async def stop_at(entries: list[ServerEntry], step: int) -> None:
    """Run a client until it has told so many things, or is connected and idle; then stop it."""
    open_before, tasks, threads = sockets(), asyncio.all_tasks(), threading.active_count()
    config = read_client_config(
        b'{"PropagationChannelId": "FFFFFFFFFFFFFFFF", "SponsorId": "FFFFFFFFFFFFFFFF", "TunnelPoolSize": 1}'
    )
    notices = Notices(io.StringIO(), SYSTEM_CLOCK, NoticeOptions(diagnostics=True))
    controller = Controller(config, FixedServers(entries), notices, SeededRng(step))
    told = 0

    def hear(notice_type: str, data: Mapping[str, object]) -> None:
        nonlocal told
        told += 1
        if told == step or notice_type == "ConnectedServerRegion":
            controller.stop()

    notices.listen(hear)
    async with asyncio.timeout(30):
        await controller.run()
    assert controller.phase.name == "ENDED"
    assert [task for task in asyncio.all_tasks() - tasks if "headrace/client" in repr(task)] == []
    assert threading.active_count() <= threads
    await closed_again(open_before)


async def closed_again(before: set[str]) -> None:
    """Wait until the server has closed its ends, too; what the client left open would never go."""
    async with asyncio.timeout(30):
        while sockets() - before:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
