"""Servers and hosts paused, restored, drained, removed, moved to another address (operations spec §1.7)."""

import ipaddress
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from headrace.base.errors import OperatorError
from headrace.network.book import Change
from headrace.network.model import LOCAL, Host, Server, Status

__all__ = ["destroyed", "drain", "forget_addresses", "move", "pause", "remove", "restore", "swap_address"]

#: From where to where a server may go.
_ALLOWED: Final[Mapping[Status, frozenset[Status]]] = {
    Status.NEW: frozenset({Status.INSTALLED, Status.REMOVING}),
    Status.INSTALLED: frozenset({Status.ACTIVE, Status.REMOVING}),
    Status.ACTIVE: frozenset({Status.PAUSED, Status.DRAINING, Status.REMOVING}),
    Status.PAUSED: frozenset({Status.ACTIVE, Status.DRAINING, Status.REMOVING}),
    Status.DRAINING: frozenset({Status.ACTIVE, Status.REMOVING}),
    Status.REMOVING: frozenset({Status.GONE}),
    Status.GONE: frozenset(),
}


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


def pause(server: Server) -> bool:
    """Take a server out of every list; those who know it can go on, and it can come back."""
    return move(server, Status.PAUSED)


def restore(server: Server) -> bool:
    """Put a paused or draining server back into the lists it was in."""
    return move(server, Status.ACTIVE)


def drain(server: Server) -> bool:
    """Have a server take no new tunnels, and nobody be told of it."""
    return move(server, Status.DRAINING)


def remove(change: Change, server: Server) -> None:
    """Take a server away for good: its secrets are forgotten, its name, address and dates are kept.

    With the last server its host goes too: at once when it is this machine, else when `destroyed` says so.
    """
    move(server, Status.REMOVING)
    move(server, Status.GONE)
    server.removed_at = change.now
    change.strip_secrets(server)
    change.session.flush()
    host = server.host
    left = change.all(Server, Server.host_id == host.id, Server.removed_at.is_(None))
    if not left:
        move(host, Status.REMOVING)
        if host.deployment == LOCAL:
            destroyed(change, host)


def destroyed(change: Change, host: Host) -> None:
    """Record that a machine is no more; that it was none already is fine."""
    if move(host, Status.GONE):
        host.removed_at = change.now
        change.strip_secrets(host)


def swap_address(server: Server, address: str) -> None:
    """Give a server another public address. Raises OperatorError."""
    try:
        server.address = str(ipaddress.ip_address(address))
    except ValueError:
        raise OperatorError(f"{address!r} is not an IP address") from None
    # What a client went through was there, and not here.
    server.tested_at = None


def forget_addresses(change: Change) -> list[Server]:
    """Forget the addresses of servers that have been gone for as long as the settings say."""
    limit = change.now - timedelta(days=change.settings.retired_address_days)
    forgotten = [
        server
        for server in change.all(Server, Server.status == Status.GONE, Server.address != "")
        if server.removed_at is not None and server.removed_at < limit
    ]
    _forget(forgotten)
    return forgotten


def _forget(servers: Iterable[Server]) -> None:
    for server in servers:
        server.address = server.internal_address = server.egress_address = ""
