"""Whole establishments among a thousand servers, most of them blocked: each connects, no two are alike."""

import pytest
from tests.unit.client.dialable import entry

from headrace.base.rng import SeededRng
from headrace.client.servers import FixedServers
from headrace.establishment.candidates import Candidates
from headrace.establishment.dial_settings import DialSettings
from headrace.establishment.policy import Collect, FirstReady, SelectionPolicy
from headrace.establishment.replay import MemoryRecords, Replay
from headrace.establishment.scheduler import Scheduler
from headrace.establishment.settings import EstablishmentSettings
from headrace.establishment.states import State
from headrace.testing.establishments import Outcome, mixed_fates, play

KNOWN, RUNS = 1000, 100
ENTRIES = [
    entry(number, ipAddress=f"192.0.{2 + number // 250}.{1 + number % 250}") for number in range(KNOWN)
]
ADDRESSES = [each.ip_address for each in ENTRIES]
SERVERS = FixedServers(ENTRIES)
#: Dials that tell two orders apart.
FIRST = 10

policies = pytest.mark.parametrize("policy", [FirstReady(), Collect()], ids=["first ready", "collect"])


def establish(seed: int, blocked: float, settings: EstablishmentSettings, wanted: int = 1) -> Outcome:
    rng, choices = SeededRng(seed), DialSettings()
    fates = mixed_fates(SeededRng(f"fates {seed}"), ADDRESSES, blocked=blocked)
    replay = Replay(MemoryRecords(), choices, rng, now=lambda: 0.0)
    scheduler = Scheduler(settings, Candidates(SERVERS, choices, rng, replay), rng)
    return play(scheduler, fates.__getitem__, wanted=wanted)


@policies
@pytest.mark.parametrize("blocked", [0.5, 0.9, 0.99])
def test_every_one_connects(blocked: float, policy: SelectionPolicy) -> None:
    settings = EstablishmentSettings(policy=policy)
    orders = set()
    for seed in range(RUNS):
        outcome = establish(seed, blocked, settings)
        assert outcome.state is State.FULL
        assert len(outcome.connected) == 1
        assert outcome.most_at_once == settings.workers
        orders.add(tuple(attempt.host for attempt in outcome.dialled[:FIRST]))
    assert len(orders) == RUNS


@policies
def test_every_pool_is_filled(policy: SelectionPolicy) -> None:
    settings = EstablishmentSettings(policy=policy, pool_size=8, workers=4)
    for seed in range(RUNS // 2):
        outcome = establish(seed, 0.9, settings, wanted=8)
        assert outcome.state is State.FULL
        assert len({attempt.host for attempt in outcome.connected}) == 8
        assert outcome.most_at_once == settings.workers
