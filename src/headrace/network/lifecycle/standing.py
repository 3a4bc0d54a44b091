"""Servers and hosts paused, restored, drained, removed, moved to another address (operations spec §1.7)."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from headrace.base.errors import OperatorError
from headrace.network.book import Change
from headrace.network.model import LOCAL, Host, Server, Status

__all__ = [
    "Removed",
    "destroyed",
    "drain",
    "forget_addresses",
    "move",
    "pause",
    "remove",
    "restore",
    "swap_address",
]

#: From where to where a server or host may go.
_ALLOWED: Final[Mapping[Status, frozenset[Status]]] = {
    Status.NEW: frozenset({Status.INSTALLED, Status.REMOVING}),
    Status.INSTALLED: frozenset({Status.ACTIVE, Status.REMOVING}),
    Status.ACTIVE: frozenset({Status.PAUSED, Status.DRAINING, Status.REMOVING}),
    Status.PAUSED: frozenset({Status.ACTIVE, Status.DRAINING, Status.REMOVING}),
    Status.DRAINING: frozenset({Status.ACTIVE, Status.REMOVING}),
    Status.REMOVING: frozenset({Status.GONE}),
    Status.GONE: frozenset(),
}

#: What is needed of a host until its machine is destroyed.
_NEEDED_TO_DESTROY: Final = frozenset({"management_credential", "console"})


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal did: `host` is the name of the machine if it goes too, `destroyed` if it has gone."""

    pseudonym: str
    host: str = ""
    destroyed: bool = False


def move(thing: Server | Host, to: Status) -> bool:
    """Change the status of a server or host; return whether it was another. Raises OperatorError."""
    at = Status(thing.status)
    if at == to:
        return False
    if to not in _ALLOWED[at]:
        name = thing.pseudonym if isinstance(thing, Server) else thing.name
        possible = ", ".join(sorted(_ALLOWED[at])) or "nothing any more"
        raise OperatorError(f"{name} is {at}, and cannot become {to}; it can become {possible}")
    thing.status = to
    return True


def pause(thing: Server | Host) -> bool:
    """Take a server, or all on a host, out of every list; it goes on for those who know it.

    It can come back. Returns whether it was not paused already. Raises OperatorError.
    """
    return move(thing, Status.PAUSED)


def restore(thing: Server | Host) -> bool:
    """Put what is paused or draining back into the lists it was in; return whether it was not there."""
    return move(thing, Status.ACTIVE)


def drain(thing: Server | Host) -> bool:
    """Have a server, or all on a host, take no new tunnels, and nobody be told of it."""
    return move(thing, Status.DRAINING)


def remove(change: Change, server: Server) -> Removed:
    """Take a server away for good: its secrets are forgotten, its name, address and dates are kept.

    With the last server its host goes too: at once when it is this machine, else when `destroyed` says so.
    Until then the host keeps of its secrets those by which it is managed.
    """
    if server.status == Status.GONE:
        raise OperatorError(f"{server.pseudonym} is gone already")
    move(server, Status.REMOVING)
    move(server, Status.GONE)
    server.removed_at = change.now
    change.strip_secrets(server)
    change.session.flush()
    host = server.host
    if change.all(Server, Server.host_id == host.id, Server.removed_at.is_(None)):
        return Removed(server.pseudonym)
    move(host, Status.REMOVING)
    change.set_secrets(host, dict.fromkeys(change.secrets(host).keys() - _NEEDED_TO_DESTROY))
    here = host.deployment == LOCAL
    if here:
        destroyed(change, host)
    return Removed(server.pseudonym, host.name, here)


def destroyed(change: Change, host: Host) -> bool:
    """Record that a machine is no more, and return whether that is new. Raises OperatorError."""
    if not move(host, Status.GONE):
        return False
    host.removed_at = change.now
    change.strip_secrets(host)
    return True


def swap_address(server: Server, address: str) -> bool:
    """Give a server another public address, and return whether it is another. Raises OperatorError.

    Where its host is managed by the old address, or what it sends has that, this changes too. Users are told
    of it again after a test: what a client went through was there, and not here.
    """
    try:
        new = str(ipaddress.ip_address(address))
    except ValueError:
        raise OperatorError(f"{address!r} is not an IP address") from None
    if not Status(server.status).alive:
        raise OperatorError(f"{server.pseudonym} is {server.status}: it gets no other address")
    if (old := server.address) == new:
        return False
    server.address = new
    if server.egress_address == old:
        server.egress_address = new
    if server.host.management_address == old:
        server.host.management_address = new
    server.tested_at = None
    return True


def forget_addresses(change: Change) -> list[str]:
    """Forget the addresses of what has been gone for as long as the settings say.

    Returns the pseudonyms of the servers. The audit log keeps what it has.
    """
    limit = change.now - timedelta(days=change.settings.retired_address_days)
    servers = change.all(
        Server, Server.status == Status.GONE, Server.address != "", Server.removed_at < limit
    )
    for server in servers:
        server.address = server.internal_address = server.egress_address = ""
    for host in change.all(
        Host, Host.status == Status.GONE, Host.management_address != "", Host.removed_at < limit
    ):
        host.management_address = ""
    return [server.pseudonym for server in servers]
