"""What the choices for attempts are made from: the configuration's limits, ranges and probabilities.

The numbers that no field of the configuration sets have the field's defaults (client spec §1.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from headrace.documents.capabilities import IMPLEMENTED_PROTOCOLS, SHIPPED_PREFIXES
from headrace.documents.client_config import ClientConfig
from headrace.documents.port_policy import PortSet, parse_ports
from headrace.documents.server_entry import ServerEntry
from headrace.establishment import latency
from headrace.obfuscation.default_prefix import default_prefixes
from headrace.obfuscation.preamble import MAX_PADDING, MIN_CLIENT_PADDING
from headrace.obfuscation.prefix import PrefixSpecs

__all__ = ["ALL_PROTOCOLS", "DialSettings"]

#: In limits of ports: whatever protocol has none of its own.
ALL_PROTOCOLS: Final = "All"
#: Where entries come from that many have.
_SEEN_BY_PROXIES: Final = frozenset(("EMBEDDED", "REMOTE", "TARGET"))

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DialSettings:
    """Times are in seconds, sizes in bytes, pairs are the least and the most. Empty limits allow all."""

    region: str = ""  #: where traffic has to leave; empty: anywhere
    proxied: bool = False  #: everything goes through an upstream proxy

    limit_protocols: tuple[str, ...] = ()
    initial_limit_protocols: tuple[
        str, ...
    ] = ()  #: in place of these, for the first `initial_limit_candidates`
    initial_limit_candidates: int = 0
    limit_ports: Mapping[str, PortSet] = field(
        default_factory=dict
    )  #: ports that may be dialled, by protocol

    prefixes: PrefixSpecs = field(default_factory=PrefixSpecs)  #: for every server, if there are any
    shipped_prefixes: PrefixSpecs = field(default_factory=default_prefixes)  #: for those that know ours
    padding: tuple[int, int] = (MIN_CLIENT_PADDING, MAX_PADDING)
    shape_streams: bool = True
    latency_lambda: float = latency.LAMBDA
    liveness_up: tuple[int, int] = (0, 0)
    liveness_down: tuple[int, int] = (0, 0)

    disable_replay: bool = False  #: nothing is replayed, but what works is kept for later
    replay_candidates: int = 10  #: only the first of an establishment are replayed; -1: all
    replay_ttl: float = 24 * 3600.0  #: 0: replay is off
    replay_retain_failed_probability: float = 0.5
    replay_ignore_changed_probability: float = 0.0
    replay_later_round_probability: float = 0.0  #: of a later round's beginning with whoever has records, too
    max_moved_to_front: int = -1  #: how many of them; -1: all

    @classmethod
    def from_config(cls, config: ClientConfig) -> "DialSettings":
        """Take what a configuration sets."""
        defaults = cls()
        ports = config.limit_tunnel_dial_port_numbers
        return cls(
            region=config.egress_region,
            proxied=bool(config.upstream_proxy_url),
            limit_protocols=tuple(config.limit_tunnel_protocols),
            initial_limit_protocols=tuple(config.initial_limit_tunnel_protocols),
            initial_limit_candidates=config.initial_limit_tunnel_protocols_candidate_count,
            limit_ports={name: parse_ports(items) for name, items in ports.items()},
            prefixes=config.prefixes(),
            shipped_prefixes=default_prefixes(config.shipped_prefixes),
            padding=config.padding,
            shape_streams=not config.disable_stream_shaping,
            latency_lambda=config.network_latency_multiplier_lambda or defaults.latency_lambda,
            liveness_up=(config.liveness_test_min_upstream_bytes, config.liveness_test_max_upstream_bytes),
            liveness_down=(
                config.liveness_test_min_downstream_bytes,
                config.liveness_test_max_downstream_bytes,
            ),
            disable_replay=config.disable_replay,
            replay_candidates=_set(config.replay_candidate_count, defaults.replay_candidates),
            replay_ttl=_set(config.replay_dial_parameters_ttl_seconds, defaults.replay_ttl),
            replay_retain_failed_probability=_set(
                config.replay_retain_failed_probability, defaults.replay_retain_failed_probability
            ),
            replay_ignore_changed_probability=_set(
                config.replay_ignore_changed_config_state_probability,
                defaults.replay_ignore_changed_probability,
            ),
            replay_later_round_probability=_set(
                config.replay_later_round_move_to_front_probability, defaults.replay_later_round_probability
            ),
        )

    def prefixes_for(self, entry: ServerEntry) -> PrefixSpecs:
        """Return what an obfuscated tunnel to this server may begin with."""
        if entry.disable_ossh_prefix:
            return PrefixSpecs()
        if self.prefixes.patterns or SHIPPED_PREFIXES not in entry.capabilities:
            return self.prefixes
        return self.shipped_prefixes

    @property
    def limited(self) -> bool:
        """Whether there may be servers that are out of the question though they are in the region."""
        return bool(self.limit_protocols or self.limit_ports or self.initial_limit or self.proxied)

    @property
    def initial_limit(self) -> bool:
        """Whether the first attempts have a limit of their own."""
        return bool(self.initial_limit_protocols and self.initial_limit_candidates)

    def protocols(
        self, entry: ServerEntry, *, initial: bool = False, exclude_intensive: bool = False
    ) -> list[str]:
        """Return the protocols over which `entry` may be dialled, of those that this program speaks.

        `initial` goes by the limit for the first attempts, if there is one.
        """
        limit = self.initial_limit_protocols if initial and self.initial_limit else self.limit_protocols
        supported = entry.supported_protocols(
            limit, upstream_proxy=self.proxied, exclude_intensive=exclude_intensive
        )
        return [name for name in supported if name in IMPLEMENTED_PROTOCOLS and self._may_dial(entry, name)]

    def hides_from_proxy(self, entry: ServerEntry) -> bool:
        """Whether `entry` is left out because dialling it would tell our upstream proxy of it.

        Servers few know of are kept from proxies, which may keep logs (client spec §3).
        """
        return self.proxied and not (entry.allow_upstream_proxy or entry.local_source in _SEEN_BY_PROXIES)

    def _may_dial(self, entry: ServerEntry, protocol: str) -> bool:
        ports = self.limit_ports.get(protocol, self.limit_ports.get(ALL_PROTOCOLS))
        return ports is None or entry.dial_port(protocol) in ports


def _set(value: T | None, default: T) -> T:
    return default if value is None else value
