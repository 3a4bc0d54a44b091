"""May a client go there? Asked of names before they are looked up, and of the address that is then dialled.

    name ──► block list ──► look-up ──► address ──► egress ──► block list ──► the client's traffic rules

What traffic rules and block lists keep a client from is counted, and its user is told. A name server's answer
is looked at once: the address that passed is the one dialled.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from headrace.base.errors import RemoteProtocolError
from headrace.codec.dns_question import read_question
from headrace.codec.host_names import question_name
from headrace.documents.blocklist import NO_BLOCKLIST, Blocklist, Reason
from headrace.documents.port_policy import Address, PortPolicy
from headrace.documents.traffic_rules import TrafficLimits
from headrace.net.addresses import parse_address
from headrace.server.alerts import Alerts
from headrace.server.egress import Egress, reached
from headrace.server.geoip import NO_COUNTRIES, GeoIP

__all__ = ["Exits", "Gate"]


@dataclass(frozen=True, slots=True)
class Exits:
    """What decides for all clients. A block list that is not `blocking` is only told of."""

    egress: Egress
    geo_ip: GeoIP = NO_COUNTRIES
    blocklist: Blocklist = NO_BLOCKLIST
    blocking: bool = False


class Gate:
    """Of one tunnel. `hit` is told of what is on a block list."""

    __slots__ = ("_hit", "alerts", "counts", "exits", "limits")

    def __init__(
        self,
        exits: Exits,
        limits: TrafficLimits,
        counts: Counter[str],
        hit: Callable[[Reason], None] = lambda reason: None,
    ) -> None:
        self.exits = exits
        self.limits = limits
        self.counts = counts
        self.alerts: Alerts | None = None  #: None for clients that are not told
        self._hit = hit

    def name(self, host: str) -> bool:
        """Say whether a name, or what else may be in its place, may be looked up."""
        if not self.exits.blocklist:
            return True
        name = question_name(host)
        return name is None or self._passes(self.exits.blocklist.name(name))

    def question(self, message: bytes) -> bool:
        """Say whether a DNS message may be sent on. Where names are blocked, it must be understood."""
        if not self.exits.blocklist:
            return True  # nor need it be understood
        try:
            return self.name(read_question(message))
        except RemoteProtocolError:
            return not self.exits.blocking

    def address(self, text: str) -> Address | None:
        """Return the address that this is, None if nobody may be sent there."""
        address = parse_address(text)
        if address is None or not self.exits.egress.permitted(text):
            return None
        blocklist = self.exits.blocklist
        return address if not blocklist or self._passes(blocklist.address(reached(address))) else None

    def tcp(self, address: Address, port: int) -> bool:
        """Say whether the traffic rules allow this destination."""
        return self._allows(self.limits.tcp, address, port)

    def udp(self, address: Address, port: int) -> bool:
        """Say so for UDP."""
        return self._allows(self.limits.udp, address, port)

    def refused(self, transport: str) -> None:
        """The traffic rules kept the client from where it wanted to go."""
        self.counts[f"refused.{transport}_disallowed"] += 1
        if self.alerts is not None:
            self.alerts.disallowed()

    def _allows(self, policy: PortPolicy, address: Address, port: int) -> bool:
        address = reached(address)
        asn = self.exits.geo_ip.asn(str(address)) if policy.asks_asn else ""
        return policy.allows(address, port, asn)

    def _passes(self, reasons: tuple[Reason, ...]) -> bool:
        for reason in reasons:
            self._hit(reason)
        if not reasons or not self.exits.blocking:
            return True
        if self.alerts is not None:
            self.alerts.unsafe(reason.subject for reason in reasons)
        return False
