"""What a server of several processes tells of itself: metrics on loopback, events along with its log."""

import asyncio
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from tests.e2e.test_processes import Program, server
from tests.e2e.test_server_processes import connected, workers_of
from tests.interop.programs import unused_port

from headrace.documents.server_entry import ServerEntry

TUNNELS = 12


async def page(client: httpx.AsyncClient, path: str) -> httpx.Response:
    """Ask for a page, which is there a moment after the server is ready."""
    while True:
        try:
            return await client.get(path)
        except httpx.ConnectError:
            await asyncio.sleep(0.05)


async def figures(client: httpx.AsyncClient) -> Mapping[str, float]:
    """Return the samples that have one label or none, by name and label."""
    metrics = text_string_to_metric_families((await page(client, "/metrics")).text)
    return {
        " ".join((sample.name.removeprefix("headrace_"), *sample.labels.values())): sample.value
        for metric in metrics
        for sample in metric.samples
    }


async def until(client: httpx.AsyncClient, name: str, value: float) -> Mapping[str, float]:
    """Ask until a sample has the value."""
    while True:
        now = await figures(client)
        if now.get(name) == value:
            return now


def events(running: Program, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in running.lines if f'"event_name":"{name}"' in line]


async def test_figures_add_up_and_outlive_a_worker(tmp_path: Path) -> None:
    port = unused_port()
    async with (
        server(tmp_path, workers="2", MetricsAddress=f"127.0.0.1:{port}") as (running, line),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        entry = ServerEntry.decode(line)
        assert (await page(client, "/healthz")).status_code == 200
        assert (await page(client, "/readyz")).status_code == 200
        tunnels = [await connected(entry) for _ in range(TUNNELS)]
        now = await until(client, "tunnels OSSH", TUNNELS)
        assert now["workers"] == now["workers_accepting"] == 2
        assert now["tunnels_begun_total OSSH"] == now["api_requests_total handshake"] == TUNNELS
        assert now["tunnels_by_region None"] == TUNNELS
        assert now["handshake_seconds_count"] == TUNNELS

        running.process.send_signal(signal.SIGUSR2)
        load = json.loads(await running.line("server_load"))
        assert load["OSSH"] == {"accepted_clients": TUNNELS, "established_clients": TUNNELS}

        workers_of(running)[0].kill()
        await running.line("lost a worker")
        after = await until(client, "workers", 2)
        assert after["workers_lost_total killed"] == 1
        assert after["tunnels_begun_total OSSH"] == TUNNELS
        assert after["tunnels OSSH"] < TUNNELS

        for tunnel in tunnels:
            tunnel.close()
        assert await running.end(signal.SIGTERM) == 0
    told = events(running, "server_tunnel")
    assert 0 < len(told) == after["tunnels OSSH"]  # the killed worker tells nothing any more
    assert len({event["event_id"] for event in told}) == len(told)
