"""The server's half of the Psiphon API: global requests of one tunnel and their answers (tunnel spec §5).

    new ──► psiphon-handshake ──► handshaken: psiphon-connected, psiphon-status
                └─ malformed ──► failed: the session ends the tunnel

There is one handshake, good or bad. Keep-alives are answered in every state; any other request out of its
state, or unknown, is refused and changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from headrace.base.clock import SYSTEM_CLOCK, Clock
from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SYSTEM_RNG, Rng
from headrace.codec.go_time import encode_time, truncate_to_hour
from headrace.codec.handshake_response import HandshakeResponse
from headrace.codec.packed_parameters import unpack
from headrace.documents.psinet import NO_PSINET, Audience, Psinet
from headrace.documents.server_config import ServerConfig
from headrace.documents.server_entry import ServerEntry
from headrace.server.api_parameters import (
    CONNECTED,
    HANDSHAKE,
    STATUS,
    response_padding,
    split_regions,
    validate,
)
from headrace.server.client_rules import ClientRules
from headrace.server.geoip import UNKNOWN, Place
from headrace.server.origin import Origin
from headrace.server.stats.request_fields import BASE, place_fields, request_fields
from headrace.server.status_report import read_status_report

__all__ = ["ApiServices", "ApiSession"]

_DAY: Final = 86_400  # seconds
_MAX_NOISE: Final = 256  # random bytes behind a keep-alive's answer
#: Most statistics of one client's that are written to the event log during a tunnel.
_MAX_STATISTICS: Final = 1024
#: Most domains of which one client's bytes are counted during a tunnel: each becomes a line there.
_MAX_DOMAINS: Final = 1024

_Parameters = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServices:
    """What the API needs and all tunnels share.

    `write_event` takes an event's name and fields. `count_domain` takes a domain, where its client is and
    what it said of itself, and how many bytes have passed.
    """

    config: ServerConfig
    psinet: Psinet = NO_PSINET
    write_event: Callable[[str, _Parameters], None] = lambda name, fields: None
    count_domain: Callable[[str, Place, _Parameters, int], None] = lambda domain, place, client, count: None
    clock: Clock = SYSTEM_CLOCK
    rng: Rng = SYSTEM_RNG


class ApiSession:
    """The API requests of one tunnel.

    `rules` learns of the handshake. `peer` is asked once where the peer is, for the peer itself, which is
    told; nobody else is. `counts` is where requests are counted.
    """

    __slots__ = (
        "_checksum",
        "_connected",
        "_counts",
        "_domains",
        "_origin",
        "_peer",
        "_rules",
        "_statistics",
        "audience",
        "client_region",
        "failed",
        "handshaken",
        "parameters",
        "services",
        "split_regions",
        "tag_checks",
    )

    def __init__(
        self,
        services: ApiServices,
        rules: ClientRules,
        origin: Origin,
        peer: Callable[[], str],
        counts: Counter[str] | None = None,
    ) -> None:
        self.services = services  #: replaced when the files behind them are others
        self._origin = origin
        self._rules = rules
        self._peer = peer
        self._counts: Counter[str] = Counter() if counts is None else counts
        self._connected = 0  # the hour of the latest connected request that counted, seconds since 1970
        self._checksum = b""  # of the expressions by which the client sorts bytes; empty if it has none
        self._statistics = 0  # written so far
        self._domains: set[str] = set()  # of which bytes have been counted
        self.handshaken = False
        self.failed = False  #: the handshake was malformed: the tunnel must end
        self.parameters: _Parameters = {}  #: the handshake's, checked; connected requests add some
        self.audience = Audience(sponsor_id="")  #: whom home pages and alerts are for
        self.client_region = UNKNOWN
        self.split_regions: frozenset[str] = frozenset()  #: what the client reaches directly
        self.tag_checks: Counter[str] = Counter()  #: of servers asked about: requests, checked, invalid

    def answer(self, name: bytes, payload: bytes) -> bytes | None:
        """Return the reply to a request, None to refuse it."""
        if name == b"keepalive@openssh.com":
            return self._keep_alive()
        greeting = name == b"psiphon-handshake" and not (self.handshaken or self.failed)
        act = ApiSession._handshake if greeting else _AFTER_HANDSHAKE.get(name)
        if act is None or not (greeting or (self.handshaken and not self._shut_out)):
            return None
        try:
            reply = act(self, unpack(payload))
        except RemoteProtocolError:
            self.failed |= greeting
            return None
        self._counts["api." + name.decode().removeprefix("psiphon-")] += 1
        return reply

    @property
    def _shut_out(self) -> bool:
        """Whether the rules leave the client no byte at all: its tunnel ends, and must not count for one."""
        limits = self._rules.limits
        allowance = limits.read_unthrottled_bytes and limits.write_unthrottled_bytes
        return limits.close_after_exhausted and not allowance

    def _keep_alive(self) -> bytes:
        rng = self.services.rng
        stamp = encode_time(truncate_to_hour(self.services.clock.time()))
        return bytes([len(stamp)]) + stamp + rng.bytes(rng.between(0, _MAX_NOISE))

    def _handshake(self, request: _Parameters) -> bytes:
        services, psinet, place = self.services, self.services.psinet, self._origin.place
        self.parameters = parameters = validate(request, HANDSHAKE)
        self.client_region = region = place.country
        self.split_regions = split_regions(request, region) - {UNKNOWN}
        self.audience = audience = Audience.of(parameters, region, place.asn)
        regexes, checksum = psinet.https_request_regexes(audience.sponsor_id)
        self._checksum = checksum if regexes else b""
        self.handshaken = True
        authorizations = request.get("authorizations")
        self._rules.handshaken(parameters, authorizations if isinstance(authorizations, list) else ())
        limits = self._rules.limits
        response = HandshakeResponse(
            homepages=psinet.home_pages(audience, services.rng),
            upgrade_client_version=psinet.upgrade(str(parameters["client_version"]), audience.platform),
            https_request_regexes=regexes,
            encoded_server_list=self._servers(discovery=not limits.disable_discovery),
            client_region=region,
            client_address=self._peer(),
            server_timestamp=_rfc_3339(int(services.clock.time())),
            active_authorization_ids=self._rules.authorization_ids,
            upstream_bytes_per_second=limits.read_bytes_per_second,
            downstream_bytes_per_second=limits.write_bytes_per_second,
            padding=response_padding(request),
        )
        wants_cbor = parameters.get("psiphon_api_response_version") == "1"
        return response.to_cbor() if wants_cbor else response.to_json()

    def _servers(self, *, discovery: bool) -> list[str]:
        """Return the entry of one more server, and our own as we were given it if the client's is older.

        An entry without a signature or provider is older. A tag, unlike an address, nobody can guess.
        """
        entries: dict[str, str] = {}
        found = self._origin.discovery
        if discovery and found is not None and found.open_at(self.services.clock.time()):
            entries[found.address] = found.encoded_entry
            self._counts["discovery.told"] += 1
        lacking = ("missing_server_entry_signature", "missing_server_entry_provider_id")
        tag = next((str(self.parameters[name]) for name in lacking if self.parameters.get(name)), "")
        own = self.services.config.own_encoded_server_entries.get(tag)
        if own:
            entries[ServerEntry.decode(own).ip_address] = own
        return list(entries.values())

    def _connected_request(self, request: _Parameters) -> bytes:
        """A client counts once a day: asking again gives the time it was told before."""
        parameters = validate(request, CONNECTED)
        now = truncate_to_hour(self.services.clock.time())
        if now // _DAY > self._connected // _DAY:
            self._connected = now
            self.parameters = {
                **self.parameters,
                **{name: parameters[name] for name in _CONNECTED & parameters.keys()},
            }
            if _on_another_day(str(parameters["last_connected"]), now):
                self._write("unique_user", request_fields(parameters, (*BASE, "last_connected")))
        return _reply(request, {"connected_timestamp": _rfc_3339(self._connected)})

    def _status_request(self, request: _Parameters) -> bytes:
        """Nothing is counted or written before all of the report is checked: else it comes a second time."""
        validate(request, STATUS)
        services = self.services
        report = read_status_report(request, services.psinet, services.clock.time())
        _, checksum = services.psinet.https_request_regexes(self.audience.sponsor_id)
        if self._checksum and self._checksum == checksum:  # else the domains are not those that are wanted
            for domain, count in report.host_bytes.items():
                self._count_domain(domain, count)
        room = _MAX_STATISTICS - self._statistics
        for name, fields in report.events[:room]:
            self._write(name, fields)
        self._statistics += len(report.events[:room])
        self._counts["event_dropped.malformed"] += report.malformed
        self._counts["event_dropped.too_many"] += max(0, len(report.events) - room)
        if report.checked_tags:
            self.tag_checks += Counter(
                requests=1, checked=report.checked_tags, invalid=report.invalid_checked_tags
            )
        tags = report.invalid_tags
        return _reply(request, {"invalid_server_entry_tags": tags} if tags else {})

    def _count_domain(self, domain: str, count: int) -> None:
        """Count bytes by a label that the sponsor's rules gave, if the client keeps to them: they are few."""
        if domain not in self._domains:
            if len(self._domains) >= _MAX_DOMAINS:
                self._counts["event_dropped.too_many"] += 1
                return
            self._domains.add(domain)
        self.services.count_domain(domain, self._origin.place, self.parameters, count)

    def _write(self, name: str, fields: _Parameters) -> None:
        access_types = self._rules.access_types
        granted = {"authorized_access_types": access_types} if access_types else {}
        self.services.write_event(name, {**place_fields(self._origin.place), **fields, **granted})


_Answer = Callable[[ApiSession, _Parameters], bytes]
_AFTER_HANDSHAKE: Final[Mapping[bytes, _Answer]] = {
    b"psiphon-connected": ApiSession._connected_request,
    b"psiphon-status": ApiSession._status_request,
    b"psiphon-client-verification": lambda session, request: b"",  # old clients ask, nobody wants to know
}
#: What the connected request says later, or better, than the handshake.
_CONNECTED: Final = {"last_connected", "establishment_duration"}


def _reply(request: Mapping[str, object], members: dict[str, object]) -> bytes:
    padding = response_padding(request)
    return msgspec.json.encode({**members, "padding": padding} if padding else members)


def _rfc_3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _on_another_day(last_connected: str, now: int) -> bool:
    """Say whether a client was last connected on an earlier day, or never."""
    if last_connected == "None":
        return True
    last = datetime.fromisoformat(last_connected).timestamp()
    return last < now and last // _DAY != now // _DAY
