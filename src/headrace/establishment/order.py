"""Who is tried before all others, who follow in random order (client spec §1.5).

    the server used last ──► servers that worked on this network, shuffled ──► the rest, shuffled

The first two only in the first round of an establishment: later rounds are for whoever was not tried, unless
chance has the second group in front again.
"""

from collections.abc import Sequence

from headrace.base.rng import Rng
from headrace.establishment.dial_settings import DialSettings

__all__ = ["front"]


def front(
    favourite: str, recent: Sequence[str], rng: Rng, settings: DialSettings, *, first_round: bool
) -> list[str]:
    """Return the addresses to begin a round with.

    `favourite` is the server used last, empty if there is none; `recent` are those with a record.
    """
    if not first_round and not rng.chance(settings.replay_later_round_probability):
        return []
    most = settings.max_moved_to_front
    others = rng.shuffled([address for address in recent if address != favourite])
    head = [favourite] if favourite and first_round else []
    return head + (others[:most] if most >= 0 else others)
