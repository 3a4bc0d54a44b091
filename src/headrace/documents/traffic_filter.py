"""Filters of traffic rules: does a rule concern this client?"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass

import msgspec

__all__ = ["ClientTraits", "TrafficFilter", "matches_pattern"]

_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTraits:
    """What filters look at. `handshake` holds the API parameters, None until the handshake."""

    tunnel_protocol: str
    region: str = ""
    isp: str = ""
    asn: str = ""
    city: str = ""
    provider_id: str = ""  # the server's own
    handshake: Mapping[str, object] | None = None
    access_types: frozenset[str] = frozenset()
    authorization_ids: frozenset[str] = frozenset()
    authorizations_revoked: bool = False
    first_tunnel: bool = True  # of its session


class TrafficFilter(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """All conditions must hold; an empty one always does."""

    tunnel_protocols: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    isps: frozenset[str] = msgspec.field(default=frozenset(), name="ISPs")
    asns: frozenset[str] = msgspec.field(default=frozenset(), name="ASNs")
    cities: frozenset[str] = frozenset()
    api_protocol: str = msgspec.field(default="", name="APIProtocol")
    handshake_parameters: dict[str, list[str]] | None = None  # name to patterns
    authorized_access_types: frozenset[str] = frozenset()
    active_authorization_ids: frozenset[str] = msgspec.field(
        default=frozenset(), name="ActiveAuthorizationIDs"
    )
    authorizations_revoked: bool = False
    provider_ids: frozenset[str] = msgspec.field(default=frozenset(), name="ProviderIDs")
    min_client_version: int | None = None
    max_client_version: int | None = None

    def matches(self, client: ClientTraits) -> bool:
        """True when every condition holds for `client`."""
        return (
            _listed(client.tunnel_protocol, self.tunnel_protocols)
            and _listed(client.region, self.regions)
            and _listed(client.isp, self.isps)
            and _listed(client.asn, self.asns)
            and _listed(client.city, self.cities)
            and _listed(client.provider_id, self.provider_ids)
            and (not self._needs_handshake or self._matches_handshake(client))
        )

    @property
    def _needs_handshake(self) -> bool:
        return bool(
            self.api_protocol
            or self.handshake_parameters is not None
            or self.authorizations_revoked
            or self.authorized_access_types
            or self.active_authorization_ids
            or self.min_client_version is not None
            or self.max_client_version is not None
        )

    def _matches_handshake(self, client: ClientTraits) -> bool:
        if client.handshake is None or self.api_protocol not in ("", "ssh"):
            return False
        for name, patterns in (self.handshake_parameters or {}).items():
            value = client.handshake.get(name)
            if not isinstance(value, str) or not any(matches_pattern(value, each) for each in patterns):
                return False
        return self._matches_authorizations(client) and self._matches_version(client.handshake)

    def _matches_authorizations(self, client: ClientTraits) -> bool:
        if self.authorizations_revoked:
            return client.authorizations_revoked
        ids, types = self.active_authorization_ids, self.authorized_access_types
        if client.authorizations_revoked:
            return not ids and not types
        return _intersects(client.authorization_ids, ids) and _intersects(client.access_types, types)

    def _matches_version(self, handshake: Mapping[str, object]) -> bool:
        low, high = self.min_client_version, self.max_client_version
        if low is None and high is None:
            return True
        text = handshake.get("client_version")
        if not isinstance(text, str) or not _INTEGER.fullmatch(text):
            return False
        version = int(text)
        return (low is None or low <= version) and (high is None or version <= high)


def matches_pattern(value: str, pattern: str) -> bool:
    """True when `value` fits `pattern`, in which `*` stands for any text."""
    first, *others = pattern.split("*")
    if not others:
        return value == pattern
    last = others.pop()
    if len(value) < len(first) + len(last) or not (value.startswith(first) and value.endswith(last)):
        return False
    # The leftmost place for each middle part leaves most room for the rest.
    position, end = len(first), len(value) - len(last)
    for part in others:
        position = value.find(part, position, end)
        if position < 0:
            return False
        position += len(part)
    return True


def _listed(value: str, wanted: Set[str]) -> bool:
    return not wanted or value in wanted


def _intersects(values: Set[str], wanted: Set[str]) -> bool:
    return not wanted or bool(values & wanted)
