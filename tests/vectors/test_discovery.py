"""Discovery: which servers may be told of, until when, and which one each client is told of."""

import ipaddress
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import xxhash

from headrace.discovery.candidates import Candidates
from headrace.discovery.classic import buckets, discovery_value
from headrace.discovery.servers import DiscoveryServer
from headrace.discovery.strategy import Address, make_strategy

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("discovery.json").read_text())
KEY = VECTORS["discoveryValueHMACKey"]


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def address(text: str) -> Address:
    parsed = ipaddress.ip_address(text)
    return getattr(parsed, "ipv4_mapped", None) or parsed


def servers(number: int) -> list[DiscoveryServer]:
    return [
        DiscoveryServer(seconds(starts), seconds(ends), server["ipAddress"], str(place))
        for place, server in enumerate(VECTORS["serverSets"][number]["servers"])
        for starts, ends in [server["discovery_date_range"]]
    ]


CASES = [
    pytest.param(number, result, id=f"{len(group['servers'])} servers at {result['time']}")
    for number, group in enumerate(VECTORS["serverSets"])
    for result in group["results"]
]


@pytest.mark.parametrize(("number", "result"), CASES)
def test_candidates(number: int, result: dict[str, Any]) -> None:
    now = seconds(result["time"])
    candidates = Candidates(servers(number), now)
    assert [int(server.encoded_entry) for server in candidates.servers] == result["discoverable"]
    assert candidates.until == (seconds(result["nextUpdate"]) if result["nextUpdate"] else float("inf"))
    dealt = [[int(server.encoded_entry) for server in bucket] for bucket in buckets(candidates.servers)]
    assert dealt == result["buckets"]
    assert len(dealt) == result["bucketCount"]


@pytest.mark.parametrize(("number", "result"), CASES)
@pytest.mark.parametrize("name", ["classic", "consistent"])
def test_selections(name: str, number: int, result: dict[str, Any]) -> None:
    now = seconds(result["time"])
    candidates = Candidates(servers(number), now).servers
    choose = make_strategy(name, KEY).arrange(candidates)
    for selection in result["selections"]:
        client = address(selection["clientIP"])
        chosen = choose(client, now) if candidates else None
        assert (chosen and int(chosen.encoded_entry)) == selection[name], client
        assert discovery_value(KEY, str(client)) == selection["discoveryValue"]


def test_bucket_counts() -> None:
    for case in VECTORS["bucketCounts"]:
        some = [DiscoveryServer(0, 1, str(number), "") for number in range(case["servers"])]
        assert len(buckets(some)) == case["buckets"]


def test_xxhash64() -> None:
    for sample in VECTORS["xxhash64"]:
        assert xxhash.xxh64_hexdigest(bytes.fromhex(sample["inputHex"])) == sample["xxhash64"]
