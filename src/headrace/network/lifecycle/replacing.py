"""Fresh servers for a channel, of which the old ones step back (operations spec §1.7)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.base.errors import OperatorError
from headrace.network.book import Change
from headrace.network.lifecycle.creation import Machine, create_server
from headrace.network.model import PropagationChannel, Server
from headrace.network.strategy.roles import Role, roles

__all__ = ["Replaced", "replace"]

#: Roles that are replaced, in the order in which machines are taken for them.
ORDER = (Role.OSL, Role.DISCOVERY, Role.PROPAGATION)


@dataclass(slots=True)
class Replaced:
    """What a replacement did."""

    created: list[Server] = field(default_factory=list)
    stepped_back: list[Server] = field(default_factory=list)  #: they keep serving those who know them


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
    """Create servers on `machines`, and have older ones of their roles step back.

    New propagation servers take older ones that are not permanent out of the channel's list; new discovery
    servers end the ranges of open ones today if `cut_discovery` is set. Raises OperatorError when there are
    fewer machines than servers to be made.
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
    old = change.servers(Server.channel_id == channel.id, Server.removed_at.is_(None))
    done = Replaced()
    for number, (role, machine) in enumerate(zip(wanted, machines, strict=False)):
        progress(number, len(wanted))
        done.created.append(create_server(change, channel, machine, role, osl_ids=osl_ids))
    for server in old:
        if Role.PROPAGATION in wanted and Role.PROPAGATION in roles(server) and not server.is_permanent:
            server.is_embedded = False
            done.stepped_back.append(server)
        if cut_discovery and Role.DISCOVERY in wanted and _cut(server, change):
            done.stepped_back.append(server)
    progress(len(wanted), len(wanted))
    return done


def _cut(server: Server, change: Change) -> bool:
    if server.discovery_start is None or server.discovery_end is None or server.discovery_end <= change.now:
        return False
    if server.discovery_start < change.now:
        server.discovery_end = change.now
    else:
        server.discovery_start, server.discovery_end = None, None
    return True
