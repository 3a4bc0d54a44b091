"""The psinet database, beyond what the vectors say."""

import json
import math
from typing import Any

import pytest

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.documents.entry_fields import encode_fields
from headrace.documents.psinet import NO_PSINET, Audience, Psinet, platform_family, read_psinet

ANYBODY = Audience(sponsor_id="A")
ENTRY = encode_fields({"ipAddress": "192.0.2.1"})
RANGE = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]


def read(**members: Any) -> Psinet:
    return read_psinet(json.dumps(members).encode(), "psinet.json", 0.0)


def pages(*urls: str) -> dict[str, Any]:
    return {"None": [{"region": "None", "url": url} for url in urls]}


def test_home_pages_are_in_random_order() -> None:
    urls = [f"https://{number}.example/" for number in range(9)]
    psinet = read(sponsors={"A": {"home_pages": pages(*urls)}})
    orders = [psinet.home_pages(ANYBODY, SeededRng(seed)) for seed in range(9)]
    assert all(sorted(order) == urls for order in orders)
    assert orders[0] != orders[1]


def test_phones_have_their_own_pages_if_there_are_any() -> None:
    psinet = read(
        sponsors={
            "A": {"home_pages": pages("https://all/"), "mobile_home_pages": pages("https://phones/")},
            "B": {"home_pages": pages("https://all/")},
        }
    )
    said = {"sponsor_id": "A", "client_platform": "Android_14"}
    assert psinet.home_pages(Audience.of(said, "XX", "1"), SeededRng(1)) == ["https://phones/"]
    assert psinet.home_pages(Audience.of({**said, "sponsor_id": "B"}, "XX", "1"), SeededRng(1)) == [
        "https://all/"
    ]


def test_what_a_client_says_cannot_become_part_of_a_url() -> None:
    psinet = read(sponsors={"A": {"home_pages": pages("https://a/?device_region=XX")}})
    said = {"sponsor_id": "A", "device_region": "X&b=\ud800/#?%"}
    assert psinet.home_pages(Audience.of(said, "NL", "1"), SeededRng(1)) == [
        "https://a/?device_region=X%26b%3D%3F%2F%23%3F%25"
    ]


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("Android_14_com.example", "Android"),
        ("my-ANDROID-box", "Android"),
        ("iOS_17", "iOS"),
        ("ios", "Other"),
        ("Windows_10", "Windows"),
        ("MyWindows", "Other"),
        ("Linux_x86_64", "Other"),
        ("", "Other"),
    ],
)
def test_platforms(text: str, family: str) -> None:
    assert platform_family(text) == family


@pytest.mark.parametrize(
    ("version", "newest", "upgrade"),
    [
        ("1", "+2", "+2"),
        ("-1", "0", "0"),
        ("1", "2x", ""),
        ("1", "9" * 30, ""),
        ("1", "\u0662", ""),
        ("1", "", ""),
    ],
)
def test_upgrades(version: str, newest: str, upgrade: str) -> None:
    assert read(client_versions={"iOS": [{"version": newest}]}).upgrade(version, "iOS") == upgrade


def test_a_server_without_a_file_knows_of_nothing() -> None:
    assert NO_PSINET.home_pages(ANYBODY, SeededRng(1)) == []
    assert NO_PSINET.alert_urls("unsafe-traffic", ANYBODY) == []
    assert NO_PSINET.https_request_regexes("A") == ([], b"")
    assert NO_PSINET.upgrade("1", "Android") == ""
    assert NO_PSINET.is_valid_tag("any", math.inf)
    assert NO_PSINET.discovery_servers == ()


@pytest.mark.parametrize("dates", [[], RANGE[:1], [*RANGE, RANGE[0]]])
def test_a_server_without_a_time_is_never_told_of(dates: list[str]) -> None:
    servers = [{"discovery_date_range": dates, "encoded_server_entry": ENTRY}]
    assert read(discovery_servers=servers).discovery_servers == ()


def test_nulls_are_absent_and_names_match_in_any_case() -> None:
    psinet = read(
        Sponsors={"A": None, "B": {"HOME_PAGES": {"None": [{"URL": "https://b/"}], "XX": None}}},
        default_sponsor_id=None,
        client_versions={"iOS": None},
        valid_server_entry_tags={"tag": None},
        default_alert_action_urls={"reason": None},
    )
    assert psinet.home_pages(ANYBODY, SeededRng(1)) == []
    assert psinet.home_pages(Audience(sponsor_id="B", region="XX"), SeededRng(1)) == ["https://b/"]
    assert psinet.upgrade("1", "iOS") == ""
    assert not psinet.is_valid_tag("tag", 0.0)
    assert psinet.alert_urls("reason", ANYBODY) == []
    assert psinet.unknown_fields == []


def test_unknown_fields_are_named() -> None:
    psinet = read(hosts={}, sponsors={"A": {"id": "A", "home_page": {}}})
    assert psinet.unknown_fields == ["hosts", "sponsors.A.home_page"]


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"sponsors": []}, "sponsors: expected an object"),
        ({"default_sponsor_id": 5, "sponsors": {"A": None}}, "default_sponsor_id: expected text"),
        (
            {"sponsors": {"A": {"home_pages": {"CA": [{"url": 5}]}}}},
            "sponsors.A: home_pages[...][0].url: expected text",
        ),
        (
            {"discovery_servers": [{"discovery_date_range": RANGE, "encoded_server_entry": "00"}]},
            "discovery_servers[0].encoded_server_entry: server entry has 1 of 5 parts",
        ),
        (
            {"discovery_servers": [{"discovery_date_range": RANGE, "encoded_server_entry": ENTRY}] * 2},
            "discovery_servers[1]: has the address of discovery_servers[0]",
        ),
        (
            {"discovery_servers": [{"discovery_date_range": ["soon"], "encoded_server_entry": ENTRY}]},
            "discovery_servers[0].discovery_date_range[0]",
        ),
    ],
)
def test_mistakes_are_named(members: dict[str, Any], problem: str) -> None:
    with pytest.raises(DocumentError) as error:
        read(**members)
    assert str(error.value).startswith(f"psinet.json: {problem}"), error.value
