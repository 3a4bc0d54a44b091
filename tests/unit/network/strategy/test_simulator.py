"""An adversary learns no more than the share that a network is made for; a change that widens it shows."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.network.strategy.fleet import DAY, KEY, NOW, channel, servers

from headrace.base.rng import SeededRng
from headrace.discovery.strategy import make_strategy
from headrace.network.model import PropagationChannel, Server, Status
from headrace.network.strategy.population import Population, make_population
from headrace.network.strategy.roles import Role, discoverable, in_osl
from headrace.network.strategy.simulator import Adversary, Share, Simulation, Source, simulate

MANY = Adversary(addresses=1000, days=30)
#: 20 channels; a list has a tenth of all permanent servers of other channels, and its own.
LARGE = Population(channels=20, permanent=20, propagation=20, discovery=150, osl=20)
LIMITS = {Role.PERMANENT: 0.15, Role.PROPAGATION: 0.05, Role.OSL: 0.05, Role.DISCOVERY: 0.3}
Network = tuple[list[PropagationChannel], list[Server]]


@pytest.fixture(scope="module")
def large() -> Network:
    return make_population(LARGE, NOW, MANY.days, SeededRng(1))


def run(
    network: tuple[Sequence[PropagationChannel], Sequence[Server]],
    adversary: Adversary = MANY,
    strategy: str = "consistent",
    **settings: Any,
) -> Simulation:
    settings = {"embedded_sample": 38, "list_sample": 38} | settings
    channels, fleet = network
    return simulate(
        channels,
        fleet,
        adversary,
        NOW,
        rng=SeededRng(2),
        strategy=make_strategy(strategy, "a secret"),
        sample_key=KEY,
        **settings,
    )


@pytest.mark.parametrize("strategy", ["consistent", "keyed"])
def test_a_thousand_addresses_learn_no_more_than_the_share_configured(large: Network, strategy: str) -> None:
    begun = time.process_time()
    found = run(large, strategy=strategy)
    assert time.process_time() - begun < 20
    assert found.exceeding(LIMITS) == []
    # Not by learning nothing: each source gives about what it is meant to.
    assert found.of(Role.PERMANENT, Source.BUNDLE) == Share(Role.PERMANENT, Source.BUNDLE, 58, 400)
    assert found.of(Role.PROPAGATION, Source.LIST).share == 0.05
    assert found.of(Role.OSL, Source.OSL).share == 0.05
    assert found.of(Role.DISCOVERY, Source.DISCOVERY).share > 0.2


def test_classic_discovery_is_for_those_who_come_from_few_addresses(large: Network) -> None:
    assert [each.role for each in run(large, strategy="classic").exceeding(LIMITS)] == [Role.DISCOVERY]
    one = Adversary(addresses=1, days=30)
    assert run(large, one, "classic").exceeding({Role.DISCOVERY: 0.02}) == []  # one of 55 buckets


@pytest.mark.parametrize(
    ("change", "role"),
    [
        ({"list_sample": 100}, Role.PERMANENT),
        ({"embedded_sample": 100}, Role.PERMANENT),
        ({"adversary": Adversary(addresses=10, days=2, channels=2)}, Role.PROPAGATION),
        ({"adversary": Adversary(addresses=2000, days=30)}, Role.DISCOVERY),
    ],
)
def test_what_widens_exposure_is_seen(large: Network, change: dict[str, Any], role: Role) -> None:
    adversary = change.pop("adversary", Adversary(addresses=10, days=2))
    exceeding = run(large, adversary, **change).exceeding(LIMITS)
    assert role in [each.role for each in exceeding]
    assert all(each.source is None and each.share > LIMITS[each.role] for each in exceeding)


def test_without_addresses_and_channels_nothing_is_learned(large: Network) -> None:
    found = run(large, Adversary(addresses=0, days=30, channels=0))
    assert {share.learned for share in found.shares} == {0}
    assert all(share.total > 0 for share in found.shares)


def test_a_key_that_is_not_earned_opens_no_list(large: Network) -> None:
    found = run(large, Adversary(addresses=0, days=5, osl_share=0))
    assert found.of(Role.OSL, Source.OSL).learned == 0


def test_all_together_is_no_less_than_any_source_and_no_more_than_there_is(large: Network) -> None:
    found = run(large, Adversary(addresses=50, days=3, channels=3))
    for role in LIMITS:
        whole = found.of(role)
        parts = [found.of(role, source).learned for source in Source]
        assert max(parts) <= whole.learned <= min(whole.total, sum(parts))


def test_what_is_not_published_or_not_in_its_range_does_not_count() -> None:
    mine = channel()
    soon = servers(3, mine, discovery_start=NOW + 5 * DAY, discovery_end=NOW + 9 * DAY)
    past = servers(3, mine, discovery_start=NOW - 9 * DAY, discovery_end=NOW)
    hidden = servers(3, mine, discovery_start=NOW, discovery_end=NOW + DAY, status=Status.PAUSED)
    network = ([mine], [*soon, *past, *hidden])
    early, late = (run(network, Adversary(addresses=200, days=days)).of(Role.DISCOVERY) for days in (5, 6))
    assert (early.learned, early.total, early.share) == (0, 0, 0.0)
    assert (late.learned, late.total, late.share) == (3, 3, 1.0)


@pytest.mark.parametrize("waves", [1, 7])
def test_a_population_has_so_many_servers_at_any_time(waves: int) -> None:
    size = Population(channels=3, permanent=4, propagation=5, discovery=6, osl=7, waves=waves)
    channels, fleet = make_population(size, NOW, 30, SeededRng(3))
    assert len(channels) == 3
    assert sum(each.is_permanent for each in fleet) == 12
    assert sum(each.is_embedded for each in fleet) == 15
    for hours in range(0, 30 * 24, 7):
        at = NOW + timedelta(hours=hours)
        assert sum(discoverable(each, at) for each in fleet) == 18
        assert sum(in_osl(each, at) for each in fleet) == 21
    assert len({each.address for each in fleet}) == len({each.tag for each in fleet}) == len(fleet)
    assert all(each.published for each in fleet)
    begins = {each.discovery_start for each in fleet if each.discovery_start and each.discovery_start > NOW}
    assert (len(begins) > 5) == (waves > 1)


def test_ranges_that_begin_on_many_days_give_more_away_by_consistent_than_by_keyed() -> None:
    size = Population(channels=1, permanent=0, propagation=0, discovery=1000, osl=0, waves=7)
    network = make_population(size, NOW, 14, SeededRng(4))
    consistent, keyed = (
        run(network, Adversary(addresses=300, days=14), strategy).of(Role.DISCOVERY).share
        for strategy in ("consistent", "keyed")
    )
    assert consistent > 1.3 * keyed
