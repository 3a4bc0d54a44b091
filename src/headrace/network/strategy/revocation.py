"""Capabilities taken from many servers at once: which, and what is left of the network then.

It is for keys that may be known to others: what depends on them is switched off. A server left without any
tunnel protocol is lost to users until it has new keys. Nothing is changed here; this is what would be.
See operations spec §1.7.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from headrace.base.errors import OperatorError
from headrace.documents.capabilities import (
    NEVER_USED,
    SHIPPED_PREFIXES,
    SSH_API_REQUESTS,
    TUNNEL_PROTOCOLS,
    capability_name,
    has_capability,
)
from headrace.network.model import Server
from headrace.network.strategy.selector import Selector

__all__ = ["KEPT", "Left", "Revocation", "Revoked", "has_tunnel", "plan_revocation"]

#: What does not depend on TLS or on keys of the host: it is left unless it is named.
KEPT: Final = frozenset({"SSH", "OSSH", SSH_API_REQUESTS, SHIPPED_PREFIXES})

_TUNNELS: Final = tuple(capability_name(name) for name in TUNNEL_PROTOCOLS if name not in NEVER_USED)


@dataclass(frozen=True, slots=True)
class Revoked:
    """A server that loses capabilities."""

    server: Server
    left: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """Servers of a channel or region: published ones that users can go through, and those that change."""

    before: int
    affected: int  #: what loses a capability, published or not
    after: int


@dataclass(frozen=True, slots=True)
class Revocation:
    """What would change, and what would be left: by region's code, and by channel's name."""

    servers: tuple[Revoked, ...]
    regions: Mapping[str, Left]
    channels: Mapping[str, Left]

    def refusals(self, least_of_channel: int, least_of_region: int) -> list[str]:
        """Return which channels and regions would lose servers and have too few then, as sentences."""
        return [
            f"the {kind} {name} would be left with {left.after} of {left.before} servers, below {least}"
            for kind, counts, least in (
                ("channel", self.channels, least_of_channel),
                ("region", self.regions, least_of_region),
            )
            for name, left in counts.items()
            if left.after < left.before and left.after < least
        ]

    def check(self, least_of_channel: int, least_of_region: int) -> None:
        """Raise OperatorError if a channel or region would have too few servers left."""
        if refused := self.refusals(least_of_channel, least_of_region):
            raise OperatorError(
                f"{'; '.join(refused)}: add servers first, select fewer, or allow a lower minimum"
            )


def plan_revocation(servers: Iterable[Server], selector: Selector, off: Collection[str] = ()) -> Revocation:
    """Return what happens if the selected ones of all the network's `servers` lose the capabilities `off`.

    Without any named they lose all but KEPT. Raises OperatorError if a capability or a value of the
    selector is one that no server has.
    """
    whole = list(servers)
    chosen = selector.select(whole)
    known = {capability for server in chosen for capability in server.capabilities}
    if unknown := sorted(set(off) - known):
        there = ", ".join(sorted(known)) or "none"
        raise OperatorError(f"no selected server has the capability {unknown[0]!r}: there are {there}")
    lost = frozenset(off) or known - KEPT
    revoked = {
        server: Revoked(
            server,
            tuple(each for each in server.capabilities if each not in lost),
            tuple(each for each in server.capabilities if each in lost),
        )
        for server in chosen
        if not lost.isdisjoint(server.capabilities)
    }
    return Revocation(
        tuple(revoked.values()),
        _counts(whole, revoked, lambda server: server.host.region),
        _counts(whole, revoked, lambda server: server.channel.name),
    )


def has_tunnel(capabilities: Iterable[str]) -> bool:
    """Say whether a server with these capabilities can be used for a tunnel."""
    offered = list(capabilities)
    return any(has_capability(offered, each) for each in _TUNNELS) or any(
        each.startswith("INPROXY-WEBRTC") for each in offered
    )


def _counts(
    servers: Iterable[Server], revoked: Mapping[Server, Revoked], part: Callable[[Server], str]
) -> dict[str, Left]:
    before, affected, after = Counter[str](), Counter[str](), Counter[str]()
    for server in servers:
        change, name = revoked.get(server), part(server)
        affected[name] += change is not None
        if server.published and has_tunnel(server.capabilities):
            before[name] += 1
            after[name] += has_tunnel(change.left if change else server.capabilities)
    return {
        name: Left(before[name], affected[name], after[name])
        for name in sorted(affected)
        if before[name] or affected[name]
    }
