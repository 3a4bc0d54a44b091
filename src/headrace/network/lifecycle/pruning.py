"""Old servers taken away, by how many are still connected to them (operations spec §1.7)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from headrace.network.book import Change
from headrace.network.lifecycle.standing import drain, remove
from headrace.network.model import PropagationChannel
from headrace.network.strategy.pruning import Action, Pruned
from headrace.network.strategy.pruning import prune as decide

__all__ = ["prune"]


def prune(
    change: Change, channels: Sequence[PropagationChannel], connected: Mapping[UUID, int | None]
) -> list[Pruned]:
    """Remove and drain what is past its age in these channels; return what was decided of each server.

    `connected` is how many users servers have, by id; one that is not in it cannot be reached, and is
    reported only.
    """
    servers = change.servers()
    decided = [each for channel in channels for each in decide(channel, servers, change.now, connected)]
    for each in decided:
        if each.action is Action.REMOVE:
            remove(change, each.server)
        elif each.action is Action.DRAIN:
            drain(each.server)
    return decided
