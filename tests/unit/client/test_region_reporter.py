"""Telling where traffic can leave, and how many servers may be tried."""

import asyncio
import io
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from tests.memory_network import client_config
from tests.unit.client.dialable import entry

from headrace.base.clock import SYSTEM_CLOCK
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.region_reporter import SLICE, RegionReporter
from headrace.client.servers import FixedServers, StoredServers
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_settings import DialSettings
from headrace.store.client.store import ClientStore
from headrace.testing.entries import make_entries

pytestmark = pytest.mark.virtual_time

ENTRIES = [
    entry(1, region="SE", capabilities=["SSH"]),
    entry(2, region="CH", capabilities=["OSSH"], localSource="DISCOVERY"),
    entry(3, region="CH", capabilities=["OSSH"], sshObfuscatedPort=443),
    entry(4, capabilities=["SSH", "OSSH"]),
    entry(5, region="FR", capabilities=["QUIC"]),
]


class Reporting:
    """A reporter on some servers, and what it said."""

    def __init__(self, entries: Iterable[ServerEntry] = ENTRIES, **settings: Any) -> None:
        self.stream = io.StringIO()
        config = client_config(**settings)
        notices = Notices(self.stream, SYSTEM_CLOCK, NoticeOptions(diagnostics=True))
        self.servers = FixedServers(entries)
        self.reporter = RegionReporter(config, DialSettings.from_config(config), self.servers, notices)

    def told(self, notice_type: str) -> list[Any]:
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [line["data"] for line in lines if line["noticeType"] == notice_type]

    @property
    def warnings(self) -> list[str]:
        return [data["message"] for data in self.told("Warning")]


@pytest.mark.parametrize(
    ("settings", "initial_count", "count", "regions"),
    [
        ({}, 0, 5, ["CH", "FR", "SE"]),
        ({"EgressRegion": "CH"}, 0, 2, ["CH", "FR", "SE"]),
        ({"LimitTunnelProtocols": ["OSSH"]}, 0, 3, ["CH"]),
        ({"LimitTunnelProtocols": ["OSSH"], "EgressRegion": "CH"}, 0, 2, ["CH"]),
        ({"LimitTunnelDialPortNumbers": {"All": [443]}}, 0, 1, ["CH"]),
        ({"LimitTunnelDialPortNumbers": {"OSSH": [443]}}, 0, 3, ["CH", "SE"]),
        ({"UpstreamProxyURL": "http://127.0.0.1:9", "LimitTunnelDialPortNumbers": {"All": [53]}}, 0, 0, []),
        (
            {"InitialLimitTunnelProtocols": ["SSH"], "InitialLimitTunnelProtocolsCandidateCount": 5},
            2,
            4,
            ["SE"],
        ),
    ],
)
async def test_what_is_found_is_told(
    settings: dict[str, Any], initial_count: int, count: int, regions: list[str]
) -> None:
    reporting = Reporting(**settings)
    scan = await reporting.reporter.scan()
    assert (scan.initial_count, scan.count, scan.regions) == (initial_count, count, regions)
    assert reporting.told("AvailableEgressRegions") == [{"regions": regions}]
    (told,) = reporting.told("CandidateServers")
    assert (told["initialCount"], told["count"]) == (initial_count, count)
    assert reporting.warnings == []


async def test_everything_that_may_be_asked_about_is_told() -> None:
    reporting = Reporting(
        EgressRegion="CH",
        LimitTunnelProtocols=["OSSH"],
        LimitTunnelDialPortNumbers={"OSSH": [443, [1000, 2000]]},
        ReplayCandidateCount=4,
    )
    await reporting.reporter.scan()
    assert reporting.told("CandidateServers") == [
        {
            "region": "CH",
            "initialLimitTunnelProtocols": [],
            "initialLimitTunnelProtocolsCandidateCount": 0,
            "limitTunnelProtocols": ["OSSH"],
            "limitTunnelDialPortNumbers": {"OSSH": [443, [1000, 2000]]},
            "replayCandidateCount": 4,
            "initialCount": 0,
            "count": 1,
            "duration": "0s",
        }
    ]


async def test_a_region_without_servers_is_told_of_once_in_an_establishment() -> None:
    reporting = Reporting(EgressRegion="NL")
    task = asyncio.create_task(reporting.reporter.run())
    for _ in range(3):
        reporting.reporter.want()
        await asyncio.sleep(1)
    (warning,) = reporting.warnings
    assert "NL" in warning and "CH, FR, SE" in warning
    reporting.reporter.begin()
    await asyncio.sleep(1)
    assert len(reporting.warnings) == 2
    assert len(reporting.told("CandidateServers")) == 4
    assert len(reporting.told("AvailableEgressRegions")) == 1
    task.cancel()


async def test_with_nobody_known_there_is_nothing_to_name() -> None:
    reporting = Reporting([], EgressRegion="NL")
    await reporting.reporter.scan()
    assert "nor in any other" in reporting.warnings[0]
    assert reporting.told("AvailableEgressRegions") == [{"regions": []}]


async def test_others_have_their_turn_meanwhile() -> None:
    looked: list[int] = []

    class Many(FixedServers):
        def everybody(self) -> Iterator[ServerEntry]:
            for number in range(10 * SLICE):
                looked.append(number)
                yield ENTRIES[0]

    reporting = Reporting(LimitTunnelProtocols=["SSH"])
    reporting.reporter._servers = Many([])
    task = asyncio.create_task(reporting.reporter.scan())
    turns = []
    while not task.done():
        await asyncio.sleep(0)
        turns.append(len(looked))
    assert len(turns) >= 10
    assert max(after - before for before, after in itertools.pairwise(turns)) <= SLICE
    assert task.result().count == 10 * SLICE


async def test_who_is_wanted_during_a_scan_is_looked_at_in_another() -> None:
    reporting = Reporting(LimitTunnelProtocols=["SSH"])
    task = asyncio.create_task(reporting.reporter.run())
    reporting.reporter.want()
    await asyncio.sleep(0)
    reporting.reporter.want()
    await asyncio.sleep(1)
    assert len(reporting.told("CandidateServers")) == 2
    task.cancel()


async def test_the_store_is_looked_through_whole() -> None:
    store = ClientStore.open(None, SYSTEM_CLOCK)
    try:
        local = {"localSource": "EMBEDDED", "localTimestamp": "2024-01-01T00:00:00Z"}
        for number, fields in enumerate(make_entries(3 * SLICE, port=4001, capabilities=["OSSH"])):
            region = {
                "region": "SE" if number % 3 else "CH",
                "capabilities": ["SSH" if number % 2 else "OSSH"],
            }
            store.entries.store({**fields, **local, **region}, replace=False)
        reporting = Reporting(LimitTunnelProtocols=["OSSH"], EgressRegion="SE")
        reporting.reporter._servers = StoredServers(store)
        scan = await reporting.reporter.scan()
        assert (scan.count, scan.regions) == (SLICE, ["CH", "SE"])
    finally:
        store.close()
