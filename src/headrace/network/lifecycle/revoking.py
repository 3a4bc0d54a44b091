"""A capability taken from all servers at once, because what it rests on may be known (spec §7.3)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from headrace.base.errors import OperatorError
from headrace.network.book import Change
from headrace.network.lifecycle.rotation import rotatable, rotate_keys
from headrace.network.model import Server, Status
from headrace.network.publish.kinds import Kind
from headrace.network.strategy.revocation import Revocation, plan_revocation
from headrace.network.strategy.selector import Selector

__all__ = ["PUBLISHED_FIRST", "Guard", "revoke"]

#: What brings the new entries to users even when all servers that they know are blocked. The hosts' own
#: configurations go before everything anyway.
PUBLISHED_FIRST: Final = (Kind.HOST, Kind.LIST, Kind.OSL)

#: What is not renewed even if it may be known: with it a server would be another one to clients, and they
#: would keep the old entry besides.
_NOT_RENEWED: Final = frozenset({"web-secret"})


@dataclass(frozen=True, slots=True)
class Guard:
    """How many usable servers have to be left, for each channel and each region that loses some."""

    channel: int = 1
    region: int = 1


_LEAST: Final = Guard()


def revoke(
    change: Change,
    selector: Selector,
    capabilities: Collection[str] = (),
    *,
    guard: Guard | None = _LEAST,
    regenerate_keys: bool = False,
    progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> Revocation:
    """Switch capabilities off on all servers that the selector means; all but SSH and OSSH if none is named.

    The guard sees to what is left; with None nothing is too much: that is for emergencies, and is on record.
    With `regenerate_keys`, these servers and their hosts also get new keys of all kinds but the web secret,
    which takes a tenth of a second for each. Raises OperatorError when the guard refuses, or nothing is to be
    revoked.
    """
    servers = change.servers(Server.status.not_in((Status.REMOVING, Status.GONE)))
    plan = plan_revocation(servers, selector, capabilities)
    if not plan.servers:
        raise OperatorError("no server that is meant has such a capability: there is nothing to revoke")
    if guard is not None:
        plan.check(guard.channel, guard.region)
    change.load_secrets([*servers, *(server.host for server in servers)])
    for number, each in enumerate(plan.servers):
        progress(number, len(plan.servers))
        each.server.capabilities = list(each.left)
        if regenerate_keys:
            names = [name for name in rotatable(change, each.server) if name not in _NOT_RENEWED]
            rotate_keys(change, each.server, names)
    progress(len(plan.servers), len(plan.servers))
    lost = sorted({name for each in plan.servers for name in each.lost})
    figures = {"capabilities": lost, "servers": len(plan.servers), "new_keys": regenerate_keys}
    change.record("revocation", str(selector), {**figures, "guarded": guard is not None})
    return plan
