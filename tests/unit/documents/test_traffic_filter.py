"""Filters of traffic rules, one condition at a time."""

from dataclasses import replace
from typing import Any

import pytest

from headrace.documents.traffic_filter import ClientTraits, TrafficFilter, matches_pattern

BEFORE = ClientTraits(tunnel_protocol="OSSH", region="NL", isp="I", asn="64496", city="C", provider_id="P")
AFTER = replace(
    BEFORE,
    handshake={"client_version": "7", "client_platform": "Linux_x86_64", "client_features": ["a"]},
    access_types=frozenset({"speed"}),
    authorization_ids=frozenset({"id"}),
)


@pytest.mark.parametrize(
    ("conditions", "before", "after"),
    [
        ({}, True, True),
        ({"tunnel_protocols": ["SSH", "OSSH"]}, True, True),
        ({"tunnel_protocols": ["SSH"]}, False, False),
        ({"regions": ["NL"]}, True, True),
        ({"regions": ["DE"]}, False, False),
        ({"isps": ["x"]}, False, False),
        ({"asns": ["64496"]}, True, True),
        ({"cities": ["x"]}, False, False),
        ({"provider_ids": ["P"]}, True, True),
        ({"provider_ids": ["x"]}, False, False),
        ({"api_protocol": "ssh"}, False, True),
        ({"api_protocol": "web"}, False, False),
        ({"handshake_parameters": {"client_platform": ["Windows*", "Linux*"]}}, False, True),
        ({"handshake_parameters": {"client_platform": ["Windows*"]}}, False, False),
        ({"handshake_parameters": {"client_features": ["*"]}}, False, False),
        ({"handshake_parameters": {"session_id": ["*"]}}, False, False),
        ({"handshake_parameters": {}}, False, True),
        ({"authorized_access_types": ["speed"]}, False, True),
        ({"authorized_access_types": ["other"]}, False, False),
        ({"active_authorization_ids": ["id", "x"]}, False, True),
        ({"active_authorization_ids": ["x"]}, False, False),
        ({"authorizations_revoked": True}, False, False),
        ({"min_client_version": 7, "max_client_version": 7}, False, True),
        ({"min_client_version": 8}, False, False),
        ({"max_client_version": 6}, False, False),
        ({"regions": ["NL"], "max_client_version": 6}, False, False),
    ],
)
def test_conditions(conditions: dict[str, Any], before: bool, after: bool) -> None:
    sets = {name: frozenset(each) for name, each in conditions.items() if isinstance(each, list)}
    traffic_filter = TrafficFilter(**{**conditions, **sets})
    assert traffic_filter.matches(BEFORE) is before
    assert traffic_filter.matches(AFTER) is after


def test_revoked_authorizations() -> None:
    revoked = replace(AFTER, authorizations_revoked=True)
    assert TrafficFilter(authorizations_revoked=True).matches(revoked)
    assert not TrafficFilter(authorized_access_types=frozenset({"speed"})).matches(revoked)
    assert not TrafficFilter(active_authorization_ids=frozenset({"id"})).matches(revoked)
    assert TrafficFilter(api_protocol="ssh").matches(revoked)


@pytest.mark.parametrize("version", ["", "x", "7.0", "9" * 5000, 7, None])
def test_a_version_that_is_no_number(version: object) -> None:
    client = replace(AFTER, handshake={"client_version": version})
    assert not TrafficFilter(min_client_version=0).matches(client)


@pytest.mark.parametrize(
    ("value", "pattern", "matches"),
    [
        ("abc", "abc", True),
        ("abc", "ab", False),
        ("abc", "*", True),
        ("", "*", True),
        ("abc", "a*", True),
        ("abc", "*c", True),
        ("abc", "*b*", True),
        ("abc", "a*c", True),
        ("abc", "a*b", False),
        ("ab", "ab*b", False),
        ("abcbd", "a*b*d", True),
        ("aXbXc", "a*b*b*c", False),
        ("a.c", "a.c", True),
        ("abc", "a.c", False),
        ("abc", "**", True),
        ("aaab", "*a*a*a*a*", False),
    ],
)
def test_patterns(value: str, pattern: str, matches: bool) -> None:
    assert matches_pattern(value, pattern) is matches
