"""What is explained of a server is what lists, extracts and discovery do with it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.network.strategy.fleet import DAY, KEY, NOW, channel, host, server, servers

from headrace.network.model import Server, Status
from headrace.network.strategy.exposure import Exposure, Route, explain
from headrace.network.strategy.subset import discovery_servers, embedded_servers, list_servers, osl_servers

MAIL, WEB, SHOP = channel("Mail"), channel("Web"), channel("Shop")
CHANNELS = [MAIL, WEB, SHOP]
HOST = host()
OTHERS = [*servers(20, MAIL, on=HOST, is_permanent=True), *servers(20, WEB, on=HOST, is_permanent=True)]
CREATED = NOW - 30 * DAY
HORIZON = timedelta(hours=48)


def explained(which: Server, *, embedded_sample: int = 10, list_sample: int = 15) -> list[Exposure]:
    return explain(
        which,
        CHANNELS,
        [*OTHERS, which],
        sample_key=KEY,
        embedded_sample=embedded_sample,
        list_sample=list_sample,
        horizon=HORIZON,
    )


def routes(which: Server, **samples: int) -> list[tuple[Route, str]]:
    return [(each.route, each.channel) for each in explained(which, **samples)]


def test_a_permanent_server_is_in_its_own_channel_and_in_samples() -> None:
    one = server(MAIL, is_permanent=True)
    own = [(Route.BUNDLE, "Mail"), (Route.LIST, "Mail")]
    assert routes(one, embedded_sample=0, list_sample=0) == [*own, (Route.KNOWN, "")]
    everywhere = [(route, of.name) for of in CHANNELS for route in (Route.BUNDLE, Route.LIST)]
    assert routes(one, embedded_sample=100, list_sample=100) == [*everywhere, (Route.KNOWN, "")]
    whos = [each.who for each in explained(one, embedded_sample=100, list_sample=0)]
    assert whos[:3] == [
        "whoever gets a bundle",
        "whoever fetches the list",
        "whoever gets a bundle, in a sample",
    ]


def test_a_propagation_server_is_in_the_list_of_its_channel_only() -> None:
    one = server(MAIL, is_embedded=True)
    first, known = explained(one)
    assert first == Exposure(Route.LIST, "Mail", "whoever fetches the list", CREATED)
    assert known.route == Route.KNOWN


def test_a_discovery_server_is_known_to_hosts_before_it_is_told_of() -> None:
    one = server(MAIL, discovery_start=NOW + 3 * DAY, discovery_end=NOW + 10 * DAY)
    hosts, told, _ = explained(one)
    assert (hosts.route, hosts.since, hosts.until) == (Route.HOSTS, NOW + DAY, NOW + 10 * DAY)
    assert (told.route, told.since, told.until) == (Route.DISCOVERY, NOW + 3 * DAY, NOW + 10 * DAY)


def test_nobody_has_known_a_server_before_it_was_there() -> None:
    one = server(MAIL, discovery_start=NOW, discovery_end=NOW + DAY, created_at=NOW - timedelta(hours=1))
    assert explained(one)[0].since == NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("ids", "who"),
    [
        (["aa"], "whoever has earned the key of its list"),
        (["aa", "bb"], "whoever has earned the key of one of its 2 lists"),
    ],
)
def test_a_server_of_obfuscated_lists_is_for_those_with_a_key(ids: list[str], who: str) -> None:
    one = server(WEB, osl_start=NOW, osl_end=NOW + 15 * DAY, osl_ids=ids)
    assert explained(one)[0] == Exposure(Route.OSL, "Web", who, NOW, NOW + 15 * DAY)


def test_a_retained_server_is_for_those_who_know_it() -> None:
    assert routes(server(MAIL)) == [(Route.KNOWN, "")]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": Status.DRAINING}, "the server is draining"),
        ({"on": host(status=Status.PAUSED)}, "its host is paused"),
        ({"tested_at": None}, "no client has gone through it yet"),
    ],
)
def test_it_is_said_why_a_server_is_not_published(fields: dict[str, Any], reason: str) -> None:
    none, known = explained(server(MAIL, is_permanent=True, **fields))
    assert (none.route, none.who) == (Route.NONE, f"nobody who does not know it: {reason}")
    assert known.route == Route.KNOWN


MOMENTS = st.integers(-40, 40).map(lambda hours: NOW + timedelta(hours=hours))
RANGES = st.none() | st.tuples(MOMENTS, st.integers(1, 60))


@given(st.booleans(), st.booleans(), RANGES, RANGES, MOMENTS)
def test_what_is_explained_is_what_is_done(
    permanent: bool,
    embedded: bool,
    discovery: tuple[datetime, int] | None,
    osl: tuple[datetime, int] | None,
    now: datetime,
) -> None:
    one = server(MAIL, HOST, is_permanent=permanent, is_embedded=embedded, osl_ids=["aa"])
    if discovery:
        one.discovery_start, one.discovery_end = discovery[0], discovery[0] + timedelta(hours=discovery[1])
    if osl:
        one.osl_start, one.osl_end = osl[0], osl[0] + timedelta(hours=osl[1])
    fleet = [*OTHERS, one]
    found = explained(one)
    open_now = {(each.route, each.channel) for each in found if each.open_at(now)}
    done = {(Route.KNOWN, "")}
    for of in CHANNELS:
        done |= {(Route.BUNDLE, of.name)} if one in embedded_servers(of, fleet, KEY, 10) else set()
        done |= {(Route.LIST, of.name)} if one in list_servers(of, fleet, KEY, 15) else set()
    done |= {(Route.DISCOVERY, "")} if discovery_servers([one], now, timedelta(0)) else set()
    done |= {(Route.OSL, "Mail")} if osl_servers(["aa"], [one], now) else set()
    assert {each for each in open_now if each[0] != Route.HOSTS} == done
    if discovery:
        assert ((Route.HOSTS, "") in open_now) == bool(discovery_servers([one], now, HORIZON))
