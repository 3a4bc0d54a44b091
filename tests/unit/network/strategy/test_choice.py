"""Providers are drawn by weight, and a channel's own weights go before."""

from collections import Counter
from uuid import uuid4

import pytest
from tests.unit.network.strategy.fleet import channel, provider

from headrace.base.errors import OperatorError
from headrace.base.rng import SeededRng
from headrace.network.model import ProviderRank
from headrace.network.strategy.choice import choose_provider, weighted


def test_providers_are_chosen_in_proportion_to_their_weights() -> None:
    light, heavy, never = provider(weight=1), provider(weight=3), provider(weight=0)
    rng = SeededRng(1)
    counts = Counter(choose_provider(rng, [never, light, heavy, never]) for _ in range(4000))
    assert counts[never] == 0
    assert 900 < counts[light] < 1100


def test_a_channels_own_weight_goes_before_in_that_channel_only() -> None:
    mine, theirs = channel(), channel()
    first, second = provider(weight=1), provider(weight=0)
    ranks = [
        ProviderRank(provider_id=first.id, channel_id=mine.id, weight=0),
        ProviderRank(provider_id=second.id, channel_id=mine.id, weight=2),
    ]
    rng = SeededRng(2)
    for _ in range(50):
        assert choose_provider(rng, [first, second], ranks, mine) is second
        assert choose_provider(rng, [first, second], ranks, theirs) is first
        assert choose_provider(rng, [first, second], ranks) is first


def test_without_any_weight_there_is_a_word_on_what_to_do() -> None:
    mine, only = channel("mine"), provider(weight=5)
    rank = ProviderRank(id=uuid4(), provider_id=only.id, channel_id=mine.id, weight=0)
    with pytest.raises(OperatorError, match="for the channel mine: add one, or give one a weight"):
        choose_provider(SeededRng(3), [only], [rank], mine)
    with pytest.raises(OperatorError, match="no provider may be chosen: add one"):
        choose_provider(SeededRng(3), [])


def test_every_option_with_a_weight_can_be_drawn() -> None:
    rng = SeededRng(4)
    assert {weighted(rng, [("a", 1), ("b", 0), ("c", 1), ("d", 1)]) for _ in range(200)} == set("acd")
