"""Fresh servers for a channel, of which the old ones step back (operations spec §1.7)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from headrace.base.errors import OperatorError
from headrace.network.book import Change
from headrace.network.lifecycle.creation import Machine, create_server
from headrace.network.lifecycle.stepping import older
from headrace.network.model import PropagationChannel, Server
from headrace.network.strategy.roles import Role

__all__ = ["ORDER", "Replaced", "counts_of", "replace"]

#: Roles that are replaced, in the order in which machines are taken for them.
ORDER: Final = (Role.OSL, Role.DISCOVERY, Role.PROPAGATION)


@dataclass(slots=True)
class Replaced:
    """What a replacement did."""

    created: list[Server] = field(default_factory=list)
    #: Those that step back once one that replaces them has passed its test.
    to_step_back: dict[Server, None] = field(default_factory=dict)


def counts_of(channel: PropagationChannel) -> dict[Role, int]:
    """Return how many servers of each role a replacement makes, as the channel says."""
    return {
        Role.OSL: channel.new_osl,
        Role.DISCOVERY: channel.new_discovery,
        Role.PROPAGATION: channel.new_propagation,
    }


def replace(
    change: Change,
    channel: PropagationChannel,
    machines: Sequence[Machine],
    counts: Mapping[Role, int] | None = None,
    *,
    cut_discovery: bool = False,
    osl_ids: Sequence[str] = (),
    progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> Replaced:
    """Create servers on `machines`, for which older ones of their roles step back once they are tested.

    New propagation servers take older ones that are not permanent out of the channel's list. If
    `cut_discovery` is set, new discovery servers end the open ranges of older ones when their own begin.
    OSL servers are in `osl_ids`, or as `create_server` says. Raises OperatorError when there are fewer
    machines than servers to be made.
    """
    counts = counts_of(channel) if counts is None else counts
    wanted = [role for role in ORDER for _ in range(counts.get(role, 0))]
    if not wanted:
        raise OperatorError(
            f"the channel {channel.name} asks for no new servers: set how many with"
            " `headrace network channel set`"
        )
    if len(machines) < len(wanted):
        raise OperatorError(
            f"{len(wanted)} servers are to be made, and there are {len(machines)} machines for it"
        )
    done = Replaced()
    for number, (role, machine) in enumerate(zip(wanted, machines, strict=False)):
        progress(number, len(wanted))
        server = create_server(change, channel, machine, role, osl_ids=osl_ids)
        done.created.append(server)
        if role is Role.PROPAGATION or (role is Role.DISCOVERY and cut_discovery):
            server.replaces = role
            done.to_step_back.update(dict.fromkeys(older(change, server, role)))
    progress(len(wanted), len(wanted))
    return done
