"""At which provider a new host is made: drawn by weight, so that none has all (operations spec §1.2)."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TypeVar

from headrace.base.errors import OperatorError
from headrace.base.rng import Rng
from headrace.network.model import PropagationChannel, Provider, ProviderRank

__all__ = ["choose_provider", "weighted"]

T = TypeVar("T")


def choose_provider(
    rng: Rng,
    providers: Iterable[Provider],
    ranks: Iterable[ProviderRank] = (),
    channel: PropagationChannel | None = None,
) -> Provider:
    """Return a provider, at random in proportion to the weights; a channel's own weight goes before.

    Raises OperatorError if none has a weight above zero.
    """
    own = {rank.provider_id: rank.weight for rank in ranks if channel and rank.channel_id == channel.id}
    options = [(provider, own.get(provider.id, provider.weight)) for provider in providers]
    if not any(weight for _, weight in options):
        of = f" for the channel {channel.name}" if channel else ""
        raise OperatorError(f"no provider may be chosen{of}: add one, or give one a weight above zero")
    return weighted(rng, options)


def weighted(rng: Rng, options: Sequence[tuple[T, int]]) -> T:
    """Return one of the options, each with its weight; one of the weights must be above zero."""
    places = list(accumulate(weight for _, weight in options))
    return options[bisect_left(places, rng.between(1, places[-1]))][0]
