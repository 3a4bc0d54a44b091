"""The traffic rules one client is under: chosen when it connects, and again whenever they may be others.

    connection ──► log-in ──► handshake ──► other rules, or an authorization less

What depends on the limits is told that they are others, and looks at them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from headrace.documents.traffic_rules import ClientTraits, TrafficLimits, TrafficRules
from headrace.server.authorizations import Authorizations, Grant

__all__ = ["ClientRules"]


class ClientRules:
    """Of one tunnel. `changed` is called when its limits are others than they were."""

    def __init__(
        self,
        rules: TrafficRules,
        traits: ClientTraits,
        authorizations: Authorizations,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._rules = rules
        self._traits = traits
        self._authorizations = authorizations
        self._changed = changed
        self._session_id = ""
        self._grant: Grant | None = None
        self.limits: TrafficLimits = rules.limits_for(traits)  #: in force right now

    @property
    def authorization_ids(self) -> list[str]:
        """Of the authorizations in force, in the order in which the client presented them."""
        return [each.id for each in self._grant.active] if self._grant else []

    @property
    def access_types(self) -> list[str]:
        """What those give access to, likewise."""
        return [each.access_type for each in self._grant.active] if self._grant else []

    def logged_in(self, session_id: str, *, first_tunnel: bool) -> None:
        """Remember who it is, and whether the session has had a tunnel here before."""
        self._session_id = session_id
        self._traits = replace(self._traits, first_tunnel=first_tunnel)

    def handshaken(self, parameters: Mapping[str, object], authorizations: Sequence[str] = ()) -> None:
        """Choose by what the client says in its handshake; both have been validated.

        Whoever tells of a handshake looks at the limits without being told to.
        """
        earlier = parameters.get("established_tunnels_count") or "0"
        first = self._traits.first_tunnel and int(str(earlier)) == 0
        self._traits = replace(self._traits, handshake=parameters, first_tunnel=first)
        self._grant = self._authorizations.claim(self._session_id, authorizations, self._choose_anew)
        self._choose()

    def reload(self, rules: TrafficRules) -> None:
        """Choose from these rules from now on."""
        self._rules = rules
        self._choose_anew()

    def sweep(self, now: float) -> None:
        """Notice what has expired."""
        if self._grant is not None:
            self._grant.expire(now)

    def close(self) -> None:
        """The tunnel has ended."""
        if self._grant is not None:
            self._authorizations.release(self._grant)

    def _choose(self) -> None:
        traits, grant = self._traits, self._grant
        if grant is not None:
            traits = replace(
                traits,
                access_types=frozenset(self.access_types),
                authorization_ids=frozenset(self.authorization_ids),
                authorizations_revoked=grant.revoked,
            )
        self.limits = self._rules.limits_for(traits)

    def _choose_anew(self) -> None:
        before = self.limits
        self._choose()
        if self.limits != before:
            self._changed()
