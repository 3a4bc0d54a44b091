"""Lists have a channel's own servers and a sample of the others', which stays what it is."""

import hmac
import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.network.strategy.fleet import DAY, KEY, NOW, channel, host, server, servers

from headrace.network.model import Server, Status
from headrace.network.strategy.subset import (
    Lists,
    discovery_servers,
    embedded_servers,
    list_servers,
    osl_servers,
)

MINE, THEIRS = channel("mine"), channel("theirs")
HOST = host()
#: Enough to draw samples from; made once, as it takes a while.
OTHERS = [server(THEIRS, HOST, is_permanent=True) for _ in range(60)]


def test_a_bundle_has_the_permanent_servers_and_a_sample_of_the_others() -> None:
    own = servers(3, MINE, is_permanent=True)
    propagation = servers(2, MINE, is_embedded=True)
    bundle = embedded_servers(MINE, [*own, *propagation, *OTHERS], KEY, 10)
    assert set(own) <= set(bundle)
    assert set(propagation).isdisjoint(bundle)
    assert len(set(bundle) & set(OTHERS)) == 10
    assert len(bundle) == 13


def test_a_list_has_propagation_servers_of_its_own_channel_besides() -> None:
    own, propagation = servers(3, MINE, is_permanent=True), servers(2, MINE, is_embedded=True)
    foreign = servers(2, THEIRS, is_embedded=True)
    fleet = [*OTHERS, *own, *foreign, *propagation, *servers(2, MINE)]
    listed = list_servers(MINE, fleet, KEY, 10)
    assert set(listed) - set(OTHERS) == {*own, *propagation}
    assert set(listed) & set(OTHERS) == set(embedded_servers(MINE, OTHERS, KEY, 10))
    assert listed == sorted(listed, key=fleet.index)


def test_an_embedded_server_with_a_range_of_dates_is_in_no_list() -> None:
    dated = server(MINE, is_embedded=True, discovery_start=NOW, discovery_end=NOW + DAY)
    assert list_servers(MINE, [dated], KEY, 10) == []


@pytest.mark.parametrize(
    "unfit", [{"status": Status.PAUSED}, {"status": Status.DRAINING}, {"tested_at": None}, {"host_paused": 1}]
)
def test_who_is_not_published_is_nowhere(unfit: dict[str, Any]) -> None:
    unfit = dict(unfit)
    on = host(status=Status.PAUSED) if unfit.pop("host_paused", None) else HOST
    hidden = server(
        MINE,
        on,
        is_permanent=True,
        is_embedded=True,
        discovery_start=NOW,
        discovery_end=NOW + DAY,
        osl_start=NOW,
        osl_end=NOW + DAY,
        osl_ids=["ab"],
        **unfit,
    )
    for of in (MINE, THEIRS):
        assert embedded_servers(of, [hidden], KEY, 5) == []
        assert list_servers(of, [hidden], KEY, 5) == []
    assert discovery_servers([hidden], NOW, DAY) == []
    assert osl_servers({"ab"}, [hidden], NOW) == []


def test_channels_and_keys_have_different_samples() -> None:
    samples = {
        frozenset(embedded_servers(of, OTHERS, key, 10))
        for of in (MINE, channel())
        for key in (KEY, bytes(32))
    }
    assert len(samples) == 4


@given(st.permutations(OTHERS), st.integers(0, 70))
def test_a_sample_depends_on_no_order_and_is_part_of_every_larger_one(
    order: list[Server], count: int
) -> None:
    chosen = set(embedded_servers(MINE, order, KEY, count))
    assert chosen == set(embedded_servers(MINE, OTHERS, KEY, count))
    assert len(chosen) == min(count, len(OTHERS))
    assert chosen <= set(embedded_servers(MINE, OTHERS, KEY, count + 1))


@given(st.sampled_from(OTHERS), st.integers(1, 59))
def test_of_a_server_that_goes_one_other_takes_the_place(gone: Server, count: int) -> None:
    before = set(embedded_servers(MINE, OTHERS, KEY, count))
    after = set(embedded_servers(MINE, [each for each in OTHERS if each is not gone], KEY, count))
    assert before - after == ({gone} & before)
    assert len(after - before) == len({gone} & before)


@given(st.integers(1, 59))
def test_a_server_that_comes_takes_at_most_one_place(count: int) -> None:
    new = server(THEIRS, HOST, is_permanent=True)
    before = set(embedded_servers(MINE, OTHERS, KEY, count))
    after = set(embedded_servers(MINE, [*OTHERS, new], KEY, count))
    assert after - before <= {new}
    assert len(before - after) == len(after - before)


def test_every_server_is_in_about_as_many_samples() -> None:
    found = [each for _ in range(100) for each in embedded_servers(channel(), OTHERS, KEY, 15)]
    counts = [found.count(each) for each in OTHERS]
    assert sum(counts) == 1500
    assert min(counts) > 8 and max(counts) < 50  # 25 each on average


def test_hosts_are_given_what_is_open_or_will_be_soon() -> None:
    def ranged(start: float, end: float) -> Server:
        return server(MINE, discovery_start=NOW + start * DAY, discovery_end=NOW + end * DAY)

    over, now, soon, far = ranged(-2, 0), ranged(-1, 1), ranged(2, 9), ranged(2.01, 9)
    assert discovery_servers([far, soon, over, now, server(MINE)], NOW, 2 * DAY) == [soon, now]
    assert discovery_servers([soon, now], NOW, timedelta(0)) == [now]


def test_pools_deal_out_every_server_to_hosts_of_one_pool() -> None:
    fleet = servers(60, MINE, discovery_start=NOW, discovery_end=NOW + DAY)
    given_out = {tuple(discovery_servers(fleet, NOW, DAY, host=f"host-{n}", pools=3)) for n in range(30)}
    assert len(given_out) == 3
    assert sorted((each for part in given_out for each in part), key=fleet.index) == fleet


def test_obfuscated_lists_have_who_is_named_for_them_while_the_range_is_open() -> None:
    def listed(start: float, end: float, *ids: str) -> Server:
        return server(MINE, osl_start=NOW + start * DAY, osl_end=NOW + end * DAY, osl_ids=list(ids))

    one, both, other = listed(0, 1, "aa"), listed(-1, 1, "aa", "bb"), listed(0, 1, "cc")
    fleet = [one, listed(-1, 0, "aa"), listed(0.5, 1, "aa"), both, other]
    assert osl_servers(["aa", "bb"], fleet, NOW) == [one, both]
    assert osl_servers([], fleet, NOW) == []


def test_a_large_network_takes_no_time() -> None:
    channels = [channel() for _ in range(50)]
    fleet = [
        server(channels[number % 50], HOST, is_permanent=number % 2 == 0, is_embedded=True)
        for number in range(5000)
    ]
    begun = time.process_time()
    lists = Lists(fleet, KEY)
    for each in channels:
        assert len(lists.embedded(each, 400)) <= 500
        assert len(lists.listed(each, 400)) == 500
    assert time.process_time() - begun < 2


def test_lists_of_many_channels_are_those_of_each() -> None:
    fleet = [*OTHERS, *servers(5, MINE, is_permanent=True), *servers(5, MINE, is_embedded=True)]
    lists = Lists(fleet, KEY)
    for of in (MINE, THEIRS, channel()):
        assert lists.embedded(of, 7) == embedded_servers(of, fleet, KEY, 7)
        assert lists.listed(of, 9) == list_servers(of, fleet, KEY, 9)


def test_scores_are_what_they_are_said_to_be() -> None:
    def score(each: Server) -> bytes:
        return hmac.digest(KEY, (MINE.public_id + each.tag).encode(), "sha256")

    assert set(embedded_servers(MINE, OTHERS, KEY, 5)) == set(sorted(OTHERS, key=score)[:5])


def test_a_channels_own_servers_take_no_place_in_its_sample() -> None:
    own = servers(60, MINE, is_permanent=True)
    bundle = embedded_servers(MINE, [*OTHERS, *own], KEY, 10)
    assert len(bundle) == len(set(bundle)) == 70
    assert set(bundle) & set(OTHERS) == set(embedded_servers(MINE, OTHERS, KEY, 10))
