"""Selectors select what they say, and say what they do not understand."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.network.strategy.fleet import DAY, NOW, channel, host, provider, server

from headrace.base.errors import OperatorError
from headrace.network.model import Server, Status
from headrace.network.strategy.selector import parse_selector

ACME, BOLD = provider("acme", image="debian-12"), provider("Bold Hosting", image="debian-13")
MAIL, WEB = channel("Mail"), channel("Web")
OLD = server(MAIL, host(ACME, software="headrace 0.1.0"), created_at=NOW - 100 * DAY)
NEW = server(WEB, host(ACME, software="headrace 0.10.0", region="NL"), created_at=NOW - DAY)
OTHER = server(
    MAIL, host(BOLD, software="headrace 0.1.2", region="FR"), created_at=NOW, capabilities=["SSH", "QUIC"]
)
PAUSED = server(WEB, host(BOLD, software="", region="FR"), created_at=NOW, status=Status.PAUSED)
GONE = server(WEB, host(ACME), status=Status.GONE)
FLEET = [OLD, NEW, OTHER, PAUSED, GONE]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", [OLD, NEW, OTHER, PAUSED]),
        ("provider=acme", [OLD, NEW]),
        ("provider = bold hosting", [OTHER, PAUSED]),
        ("image=debian-13", [OTHER, PAUSED]),
        ("capability=QUIC", [OTHER]),
        ("software=headrace-0.1", [OLD, OTHER]),
        ("software=headrace 0.1.2", [OTHER]),
        ("software=headrace/0.10", [NEW]),
        ("software=HEADRACE-0.10", [NEW]),
        ("region=de,region=nl", [OLD, NEW]),
        ("channel=web", [NEW, PAUSED]),
        (f"channel={MAIL.public_id}", [OLD, OTHER]),
        ("created<2026-01-01", [OLD]),
        ("created>=2026-03-15T13:45Z", [OTHER, PAUSED]),
        ("created>2026-03-15T13:45", []),
        ("created<=2026-03-15T14:45+01:00", [OLD, NEW, OTHER, PAUSED]),
        ("created>=2026-01-01,created<2026-03-15", [NEW]),
        ("provider=acme,created<2026-01-01,software=headrace-0.1", [OLD]),
        ("provider=acme,region=FR", []),
    ],
)
def test_servers_are_selected_by_all_that_is_asked_for(text: str, expected: list[Server]) -> None:
    selector = parse_selector(text)
    assert selector.select(FLEET) == expected
    assert parse_selector(str(selector)) == selector


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no server is selected: write conditions"),
        ("acme", "'acme' is no condition: write one like provider=acme"),
        ("provider=acme,", "'' is no condition"),
        ("colour=red", "'colour' is nothing to select by: write one of provider, image, software, region"),
        ("provider=", "provider has no value: write one behind ="),
        ("provider<acme", "provider cannot be compared by <: write provider=acme"),
        ("created=2026-01-01", "created is compared, not equal: write created<2026-01-01"),
        ("created<yesterday", "'yesterday' is no date or time: write one like 2026-01-01"),
        ("created<0001-01-01T00:00+23:59", "is no date or time"),
    ],
)
def test_what_is_not_understood_is_said(text: str, problem: str) -> None:
    with pytest.raises(OperatorError, match=re.escape(problem)):
        parse_selector(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("provider=acne", "no server has the provider 'acne': there are acme"),
        ("region=QX", "no server has the region 'QX': there are DE, FR, NL"),
        ("software=headrace-0", None),
        ("software=headrace-2", "no server has the software 'headrace-2'"),
    ],
)
def test_a_value_that_no_server_has_is_a_mistake(text: str, problem: str | None) -> None:
    if problem is None:
        assert parse_selector(text).select(FLEET) == [OLD, NEW, OTHER]
    else:
        with pytest.raises(OperatorError, match=problem):
            parse_selector(text).select(FLEET)


def test_without_servers_there_is_nothing_to_propose() -> None:
    with pytest.raises(OperatorError, match="none has any"):
        parse_selector("region=DE").select([GONE])


@given(st.text(st.sampled_from("provider=acme,<>created 2026-01T:Z+"), max_size=40) | st.text(max_size=20))
def test_any_text_is_a_selector_or_an_error_for_people(text: str) -> None:
    try:
        selector = parse_selector(text)
    except OperatorError:
        return
    assert parse_selector(str(selector)) == selector
