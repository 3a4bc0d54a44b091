"""The psinet database, read and asked as the network's servers do."""

import json
from pathlib import Path
from typing import Any

import pytest

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.documents.psinet import Audience, read_psinet

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("psinet.json").read_text())
MODIFIED = 1_790_000_000.0
PSINET = read_psinet(json.dumps(VECTORS["database"]).encode(), modified=MODIFIED)


def audience(case: dict[str, Any]) -> Audience:
    return Audience(
        sponsor_id=case["sponsorID"],
        region=case["clientRegion"],
        asn=case["clientASN"],
        device_region=case["deviceRegion"],
        platform=case["normalizedClientPlatform"],
        mobile=case.get("isMobile", False),
    )


@pytest.mark.parametrize("case", VECTORS["homepages"])
def test_home_pages(case: dict[str, Any]) -> None:
    pages = PSINET.home_pages(audience(case), SeededRng(1))
    assert sorted(pages) == sorted(case["homepages"])


@pytest.mark.parametrize("case", VECTORS["alerts"])
def test_alerts(case: dict[str, Any]) -> None:
    assert PSINET.alert_urls(case["reason"], audience(case)) == case["urls"]


@pytest.mark.parametrize("case", VECTORS["upgrades"])
def test_upgrades(case: dict[str, Any]) -> None:
    assert PSINET.upgrade(case["clientVersion"], case["platform"]) == case["upgrade"]


@pytest.mark.parametrize("case", VECTORS["httpsRequestRegexes"])
def test_regexes(case: dict[str, Any]) -> None:
    regexes, checksum = PSINET.https_request_regexes(case["sponsorID"])
    assert regexes == case["regexes"]
    assert checksum.hex() == case["checksumHex"]


@pytest.mark.parametrize("case", VECTORS["validTags"])
def test_tags(case: dict[str, Any]) -> None:
    now = MODIFIED + case["fileAgeHours"] * 3600
    assert PSINET.is_valid_tag(case["tag"], now) is case["valid"]


def test_discovery_servers() -> None:
    assert [server.address for server in PSINET.discovery_servers] == VECTORS["discoveryServerIPs"]


@pytest.mark.parametrize("case", VECTORS["loads"], ids=lambda case: case["name"])
def test_loading(case: dict[str, Any]) -> None:
    data = case["database"].encode()
    if case["loads"]:
        read_psinet(data)
    else:
        with pytest.raises(DocumentError):
            read_psinet(data)
