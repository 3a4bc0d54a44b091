"""Stopping at any moment: within two seconds, and nothing is left, whatever was under way."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from tests.memory_network import HANGS, Destination, MemoryServer, Network, settle
from tests.unit.client.test_controller import Run, now

from headrace.base.errors import NetworkError
from headrace.documents.server_entry import ServerEntry

pytestmark = pytest.mark.virtual_time

PORTS = (4001, 4002)
#: Seconds after the end by which any timer that was left would have struck.
LATER = 100.0


def crowd(network: Network, server: MemoryServer, draw: random.Random) -> list[ServerEntry]:
    """Return entries of servers that refuse, hang and stall, and of one that works after a while."""
    entries = [server.entry]
    for number in range(2, 40):
        address = f"192.0.2.{number}"
        fields = {**server.entry.fields, "ipAddress": address, "tag": f"dGFn{number:04d}"}
        entries.append(ServerEntry.from_fields(fields))
        place: Any = draw.choice([HANGS, NetworkError("Connection refused"), Destination])
        for port in PORTS:
            network.places[address, port] = place
    for port in PORTS:
        network.delays[server.address, port] = draw.random() * 20
    return entries


@pytest.mark.parametrize("seed", range(200))
async def test_at_any_moment(seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    draw = random.Random(seed)
    network = Network.install(monkeypatch)
    server = MemoryServer(network, tmp_path)
    before = asyncio.all_tasks()
    settings = {
        "TunnelPoolSize": draw.choice([1, 3]),
        "LivenessTestMaxDownstreamBytes": draw.choice([0, 50_000]),
        "EstablishTunnelSelectionPolicy": draw.choice(["first-ready", "collect"]),
    }
    run = Run(crowd(network, server, draw), **settings)
    await asyncio.sleep(draw.random() * draw.choice([0.1, 5, 40, 120]))
    if draw.random() < 0.3:  # amid making a lost tunnel anew
        for session in list(server.sessions):
            session.socket.abort()
        await asyncio.sleep(draw.random() * 5)
    asked = now()
    run.controller.stop()
    await run.task
    assert now() - asked <= 2
    assert run.types[-1] == "Exiting"
    assert asyncio.all_tasks() == before
    await settle()
    assert network.open == []
    dialled = len(network.dialled)
    await asyncio.sleep(LATER)
    assert len(network.dialled) == dialled
    assert asyncio.all_tasks() == before
