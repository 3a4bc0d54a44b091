"""Older servers step back for new ones, and not before these can be told of: users always have some."""

from collections.abc import Iterator

from headrace.network.book import Change
from headrace.network.model import Server
from headrace.network.strategy.roles import Role, discoverable

__all__ = ["older", "step_back"]


def older(change: Change, server: Server, role: Role) -> Iterator[Server]:
    """Yield the servers of its channel, older than a new one, that would step back for it in a role."""
    for other in change.servers(Server.channel_id == server.channel_id, Server.removed_at.is_(None)):
        if other.created_at >= server.created_at:
            continue
        if role is Role.PROPAGATION and other.is_embedded and not other.is_permanent:
            yield other
        if role is Role.DISCOVERY and _ends_later(other, server, change):
            yield other


def step_back(change: Change, server: Server) -> list[Server]:
    """Have older servers step back for one that has passed its test, if it was made to replace them.

    Propagation servers leave the list of their channel, and serve those who know them. Of discovery servers,
    ranges that are open end when that of the new one begins, or now.
    """
    if not server.replaces:
        return []
    role, server.replaces = Role(server.replaces), ""
    found = list(older(change, server, role))
    for other in found:
        if role is Role.PROPAGATION:
            other.is_embedded = False
        else:
            assert server.discovery_start is not None
            other.discovery_end = max(server.discovery_start, change.now)
    return found


def _ends_later(other: Server, server: Server, change: Change) -> bool:
    """Say whether the range of another server is open now, and goes on when that of the new one begins."""
    return (
        discoverable(other, change.now)
        and other.discovery_end is not None
        and server.discovery_start is not None
        and other.discovery_end > max(server.discovery_start, change.now)
    )
