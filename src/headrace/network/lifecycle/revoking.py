"""A capability taken from all servers at once, because what it rests on may be known (spec §7.3)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from headrace.base.errors import OperatorError
from headrace.network.book import Change
from headrace.network.lifecycle.rotation import rotate_keys
from headrace.network.model import Server, Status
from headrace.network.strategy.revocation import Revocation, plan_revocation
from headrace.network.strategy.selector import Selector

__all__ = ["Guard", "revoke"]

#: What is renewed of servers whose keys may be known.
_RENEWED = ("login", "obfuscation")


@dataclass(frozen=True, slots=True)
class Guard:
    """How many usable servers have to be left, for each channel and each region that loses some."""

    channel: int = 1
    region: int = 1


def revoke(
    change: Change,
    selector: Selector,
    capabilities: Collection[str] = (),
    *,
    guard: Guard | None = None,
    regenerate_keys: bool = False,
    progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> Revocation:
    """Switch capabilities off on all servers that the selector means; all but SSH and OSSH if none is named.

    Without a guard nothing is too much: that is for emergencies. With `regenerate_keys`, servers also get a
    new log-in and obfuscation key. Raises OperatorError when the guard refuses, or nothing is to be revoked.
    """
    servers = change.servers(Server.status.not_in((Status.REMOVING, Status.GONE)))
    plan = plan_revocation(servers, selector, capabilities)
    if not plan.servers:
        raise OperatorError("no server that is meant has such a capability: there is nothing to revoke")
    if guard is not None:
        plan.check(guard.channel, guard.region)
    change.load_secrets([*servers, *(server.host for server in servers)])
    for number, each in enumerate(plan.servers):
        each.server.capabilities = list(each.left)
        if regenerate_keys:
            names = [name for name in _RENEWED if name == "login" or "OSSH" in each.left]
            rotate_keys(change, each.server, tuple(names))
        progress(number + 1, len(plan.servers))
    return plan
