"""Old servers taken away, by how many are still connected to them (operations spec §1.7)."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from headrace.network.book import Change, View
from headrace.network.lifecycle.standing import drain, remove
from headrace.network.model import PropagationChannel, Server
from headrace.network.strategy.pruning import Action, Pruned
from headrace.network.strategy.pruning import prune as decide

__all__ = ["past_their_time", "prune"]


def past_their_time(view: View, channels: Sequence[PropagationChannel]) -> list[Server]:
    """Return the servers of which it is to be asked how many users they have.

    That is done before the change is begun: others would wait for it.
    """
    servers = view.servers()
    return [each.server for channel in channels for each in decide(channel, servers, view.now, {})]


def prune(
    change: Change,
    channels: Sequence[PropagationChannel],
    connected: Mapping[UUID, int | None],
    *,
    progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> list[Pruned]:
    """Remove and drain what is past its age in these channels; return what was decided of each server.

    `connected` is how many users servers have, by id; one that is not in it cannot be reached, and is
    reported only.
    """
    servers = change.servers()
    decided = [each for channel in channels for each in decide(channel, servers, change.now, connected)]
    for number, each in enumerate(decided):
        progress(number, len(decided))
        if each.action is Action.REMOVE:
            remove(change, each.server)
        elif each.action is Action.DRAIN:
            drain(each.server)
    progress(len(decided), len(decided))
    return decided
