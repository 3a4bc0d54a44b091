"""Traffic rules: what a client may use of a server, in psiphond's file format.

A file has default rules and a list of filtered rules. For a client the first filter that matches is taken,
and what its rules say overrides the defaults, field by field. Read means up (client to server), Write means
down.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from headrace.base.errors import DocumentError
from headrace.codec.packed_parameter_keys import PARAMETER_KEYS
from headrace.documents.config_reader import convert_config, field_names, fold_deep, read_object
from headrace.documents.port_policy import Network, PortPolicy, parse_networks, parse_ports
from headrace.documents.traffic_filter import ClientTraits, TrafficFilter

__all__ = [
    "DEFAULT_TRAFFIC_RULES",
    "TRAFFIC_RULES_FIELDS",
    "ClientTraits",
    "TrafficLimits",
    "TrafficRules",
    "read_traffic_rules",
]

S = TypeVar("S", bound=msgspec.Struct)
_PortList = list[int | list[int]]


class _RateLimits(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    read_unthrottled_bytes: int | None = None
    read_bytes_per_second: int | None = None
    write_unthrottled_bytes: int | None = None
    write_bytes_per_second: int | None = None
    close_after_exhausted: bool | None = None
    establishment_read_bytes_per_second: int | None = None
    establishment_write_bytes_per_second: int | None = None
    unthrottle_first_tunnel_only: bool | None = None


class _Rules(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    rate_limits: _RateLimits = _RateLimits()
    dial_tcp: int | None = msgspec.field(default=None, name="DialTCPPortForwardTimeoutMilliseconds")
    idle_tcp: int | None = msgspec.field(default=None, name="IdleTCPPortForwardTimeoutMilliseconds")
    idle_udp: int | None = msgspec.field(default=None, name="IdleUDPPortForwardTimeoutMilliseconds")
    max_tcp_dialing: int | None = msgspec.field(default=None, name="MaxTCPDialingPortForwardCount")
    max_tcp: int | None = msgspec.field(default=None, name="MaxTCPPortForwardCount")
    max_udp: int | None = msgspec.field(default=None, name="MaxUDPPortForwardCount")
    allow_tcp_ports: _PortList | None = msgspec.field(default=None, name="AllowTCPPorts")
    allow_udp_ports: _PortList | None = msgspec.field(default=None, name="AllowUDPPorts")
    disallow_tcp_ports: _PortList | None = msgspec.field(default=None, name="DisallowTCPPorts")
    disallow_udp_ports: _PortList | None = msgspec.field(default=None, name="DisallowUDPPorts")
    allow_subnets: list[str] | None = None
    allow_asns: list[str] | None = msgspec.field(default=None, name="AllowASNs")
    disallow_subnets: list[str] | None = None
    disallow_asns: list[str] | None = msgspec.field(default=None, name="DisallowASNs")
    disable_discovery: bool | None = None


class _FilteredRules(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    filter: TrafficFilter = TrafficFilter()
    except_filter: TrafficFilter | None = None
    rules: _Rules = _Rules()


class _File(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    default_rules: _Rules = _Rules()
    filtered_rules: list[_FilteredRules] = []


_DEFAULTS = _Rules(
    rate_limits=_RateLimits(
        read_unthrottled_bytes=0,
        read_bytes_per_second=0,
        write_unthrottled_bytes=0,
        write_bytes_per_second=0,
        close_after_exhausted=False,
        establishment_read_bytes_per_second=0,
        establishment_write_bytes_per_second=0,
        unthrottle_first_tunnel_only=False,
    ),
    dial_tcp=10_000,
    idle_tcp=30_000,
    idle_udp=30_000,
    max_tcp_dialing=64,
    max_tcp=512,
    max_udp=1024,
    disable_discovery=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficLimits:
    """The limits in force for one client. Rates, counts and timeouts of 0 mean that there is no limit."""

    read_unthrottled_bytes: int  # allowance before the rate applies
    read_bytes_per_second: int
    write_unthrottled_bytes: int
    write_bytes_per_second: int
    close_after_exhausted: bool  # close the tunnel when the allowance is used up
    dial_tcp_timeout: float  # seconds
    idle_tcp_timeout: float
    idle_udp_timeout: float
    max_tcp_dialing: int
    max_tcp: int
    max_udp: int
    tcp: PortPolicy
    udp: PortPolicy
    disable_discovery: bool


class TrafficRules:
    """A checked file of rules."""

    def __init__(self, file: _File, unknown_fields: list[str]) -> None:
        defaults = _override(_DEFAULTS, file.default_rules)
        self._defaults = _Choice(defaults)
        self._filtered = [
            (each.filter, each.except_filter, _Choice(_override(defaults, each.rules)))
            for each in file.filtered_rules
        ]
        self.unknown_fields = unknown_fields

    def filters(self) -> Iterator[tuple[str, TrafficFilter]]:
        """Yield every filter, and where in the file it is."""
        for index, (wanted, excepted, _) in enumerate(self._filtered):
            yield f"FilteredRules[{index}].Filter", wanted
            if excepted:
                yield f"FilteredRules[{index}].ExceptFilter", excepted

    def limits_for(self, client: ClientTraits) -> TrafficLimits:
        """Return the limits for a client; they change when its handshake is done."""
        for wanted, excepted, choice in self._filtered:
            if wanted.matches(client) and not (excepted and excepted.matches(client)):
                return choice.limits_for(client)
        return self._defaults.limits_for(client)


def read_traffic_rules(data: bytes, file: str = "traffic rules") -> TrafficRules:
    """Return the rules in `data`, read from `file`. Raises DocumentError."""
    known, unknown = fold_deep(read_object(data, file), _File)
    rules = convert_config(known, _File, file)
    _check_rules(rules.default_rules, f"{file}: DefaultRules")
    for index, filtered in enumerate(rules.filtered_rules):
        where = f"{file}: FilteredRules[{index}]"
        _check_rules(filtered.rules, f"{where}.Rules")
        _check_filter(filtered.filter, f"{where}.Filter")
        if filtered.except_filter:
            _check_filter(filtered.except_filter, f"{where}.ExceptFilter")
    # Rate limits on meek requests concern protocols that are not spoken here.
    return TrafficRules(rules, [name for name in unknown if not name.startswith("MeekRateLimiter")])


def _check_rules(rules: _Rules, where: str) -> None:
    for struct, prefix in ((rules, where), (rules.rate_limits, f"{where}.RateLimits")):
        for field in msgspec.structs.fields(struct):
            value = getattr(struct, field.name)
            if isinstance(value, int) and value < 0:
                raise DocumentError(
                    f"{prefix}.{field.encode_name}: {value} is below zero: write zero or more"
                )
    for name, ports in (
        ("AllowTCPPorts", rules.allow_tcp_ports),
        ("AllowUDPPorts", rules.allow_udp_ports),
        ("DisallowTCPPorts", rules.disallow_tcp_ports),
        ("DisallowUDPPorts", rules.disallow_udp_ports),
    ):
        try:
            parse_ports(ports or [])
        except ValueError as error:
            raise DocumentError(f"{where}.{name}: {error}") from error
    for name, subnets in (("AllowSubnets", rules.allow_subnets), ("DisallowSubnets", rules.disallow_subnets)):
        try:
            parse_networks(subnets or [])
        except ValueError as error:
            raise DocumentError(f"{where}.{name}: {error}") from error
    for name, asns in (("AllowASNs", rules.allow_asns), ("DisallowASNs", rules.disallow_asns)):
        for asn in asns or []:
            if not (asn.isascii() and asn.isdigit()):
                raise DocumentError(f'{where}.{name}: {asn} is no AS number: write for instance "64496"')


def _check_filter(traffic_filter: TrafficFilter, where: str) -> None:
    known = {name for name, _ in PARAMETER_KEYS.values()}
    for name in traffic_filter.handshake_parameters or ():
        if name not in known:
            raise DocumentError(f"{where}.HandshakeParameters: clients send no parameter {name}")


def _override(base: S, over: S) -> S:
    """Return `base` with what `over` says."""
    said = {name: value for name in over.__struct_fields__ if (value := getattr(over, name)) is not None}
    for name, value in said.items():
        if isinstance(value, msgspec.Struct):
            said[name] = _override(getattr(base, name), value)
    return msgspec.structs.replace(base, **said)


class _Choice:
    """Rules that some clients are under. All of them share the same limits: a server has many clients."""

    def __init__(self, rules: _Rules) -> None:
        tcp = _policy(rules, rules.allow_tcp_ports, rules.disallow_tcp_ports)
        udp = _policy(rules, rules.allow_udp_ports, rules.disallow_udp_ports)
        self._limits = {
            (established, first_tunnel): _limits(rules, tcp, udp, established, first_tunnel)
            for established in (False, True)
            for first_tunnel in (False, True)
        }

    def limits_for(self, client: ClientTraits) -> TrafficLimits:
        return self._limits[client.handshake is not None, client.first_tunnel]


def _limits(
    rules: _Rules, tcp: PortPolicy, udp: PortPolicy, established: bool, first_tunnel: bool
) -> TrafficLimits:
    rates = rules.rate_limits
    unthrottled = first_tunnel or not rates.unthrottle_first_tunnel_only
    read_rate = rates.read_bytes_per_second if established else rates.establishment_read_bytes_per_second
    write_rate = rates.write_bytes_per_second if established else rates.establishment_write_bytes_per_second
    return TrafficLimits(
        read_unthrottled_bytes=(rates.read_unthrottled_bytes or 0) if unthrottled else 0,
        read_bytes_per_second=read_rate or 0,
        write_unthrottled_bytes=(rates.write_unthrottled_bytes or 0) if unthrottled else 0,
        write_bytes_per_second=write_rate or 0,
        close_after_exhausted=established and bool(rates.close_after_exhausted),
        dial_tcp_timeout=(rules.dial_tcp or 0) / 1000,
        idle_tcp_timeout=(rules.idle_tcp or 0) / 1000,
        idle_udp_timeout=(rules.idle_udp or 0) / 1000,
        max_tcp_dialing=rules.max_tcp_dialing or 0,
        max_tcp=rules.max_tcp or 0,
        max_udp=rules.max_udp or 0,
        tcp=tcp,
        udp=udp,
        disable_discovery=bool(rules.disable_discovery),
    )


@functools.lru_cache
def _networks(subnets: tuple[str, ...]) -> tuple[Network, ...]:
    """Return networks that have been checked; most rules have theirs from the defaults."""
    return parse_networks(subnets)


def _policy(rules: _Rules, allowed: _PortList | None, disallowed: _PortList | None) -> PortPolicy:
    return PortPolicy(
        allowed_ports=parse_ports(allowed or []),
        disallowed_ports=parse_ports(disallowed or []),
        allowed_networks=_networks(tuple(rules.allow_subnets or ())),
        disallowed_networks=_networks(tuple(rules.disallow_subnets or ())),
        allowed_asns=frozenset(rules.allow_asns or []),
        disallowed_asns=frozenset(rules.disallow_asns or []),
    )


TRAFFIC_RULES_FIELDS = field_names(_File)
"""The names that fields have in a file of rules."""

DEFAULT_TRAFFIC_RULES = TrafficRules(_File(), [])
"""The rules of a server without a file."""
