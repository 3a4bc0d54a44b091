"""The server's half of the Psiphon API: global requests of one tunnel and their answers (tunnel spec §5).

    new ──► psiphon-handshake ──► handshaken: psiphon-connected, psiphon-status
                └─ malformed ──► failed: the session ends the tunnel

There is one handshake, good or bad. Keep-alives are answered in every state; any other request out of its
state, or unknown, is refused and changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
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
from headrace.documents.server_config import ServerConfig
from headrace.documents.traffic_rules import ClientTraits, TrafficRules
from headrace.server.api_parameters import (
    CONNECTED,
    HANDSHAKE,
    STATUS,
    response_padding,
    split_regions,
    validate,
)
from headrace.server.geoip import UNKNOWN
from headrace.server.origin import Origin

__all__ = ["ApiServices", "ApiSession"]

_DAY: Final = 86_400  # seconds
_MAX_NOISE: Final = 256  # random bytes behind a keep-alive's answer


def _no_homepages(parameters: Mapping[str, object], region: str) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServices:
    """What the API needs and all tunnels share.

    `homepages` chooses URLs by the client's parameters and region.
    """

    config: ServerConfig
    rules: TrafficRules
    clock: Clock = SYSTEM_CLOCK
    rng: Rng = SYSTEM_RNG
    homepages: Callable[[Mapping[str, object], str], Sequence[str]] = _no_homepages


class ApiSession:
    """The API requests of one tunnel.

    `peer_address` is asked once, for the peer itself, which is told its address; nobody else is.
    """

    __slots__ = (
        "_connected",
        "_origin",
        "_peer_address",
        "_protocol",
        "_shared",
        "client_region",
        "failed",
        "handshaken",
        "limits",
        "parameters",
        "split_regions",
    )

    def __init__(
        self, shared: ApiServices, protocol: str, origin: Origin, peer_address: Callable[[], str]
    ) -> None:
        self._shared = shared
        self._origin = origin
        self._protocol = protocol
        self._peer_address = peer_address
        self._connected = 0  # the hour of the latest connected request that counted, seconds since 1970
        self.handshaken = False
        self.failed = False  #: the handshake was malformed: the tunnel must end
        self.parameters: Mapping[str, object] = {}  #: the handshake's, checked
        self.client_region = UNKNOWN
        self.split_regions: frozenset[str] = frozenset()  #: what the client reaches directly
        self.limits = shared.rules.limits_for(ClientTraits(tunnel_protocol=protocol))  #: in force right now

    def answer(self, name: bytes, payload: bytes) -> bytes | None:
        """Return the reply to a request, None to refuse it."""
        if name == b"keepalive@openssh.com":
            return self._keep_alive()
        if name == b"psiphon-handshake" and not (self.handshaken or self.failed):
            try:
                return self._handshake(unpack(payload))
            except RemoteProtocolError:
                self.failed = True
                return None
        act = _AFTER_HANDSHAKE.get(name)
        if act is None or not self.handshaken:
            return None
        try:
            return act(self, unpack(payload))
        except RemoteProtocolError:
            return None

    def _keep_alive(self) -> bytes:
        shared = self._shared
        stamp = encode_time(truncate_to_hour(shared.clock.time()))
        return bytes([len(stamp)]) + stamp + shared.rng.bytes(shared.rng.between(0, _MAX_NOISE))

    def _handshake(self, request: Mapping[str, object]) -> bytes:
        shared = self._shared
        self.parameters = validate(request, HANDSHAKE)
        self.client_region = region = self._origin.place.country
        self.split_regions = split_regions(request, region) - {UNKNOWN}
        self.handshaken = True
        self.limits = limits = shared.rules.limits_for(
            ClientTraits(tunnel_protocol=self._protocol, region=region, handshake=self.parameters)
        )
        response = HandshakeResponse(
            homepages=list(shared.homepages(self.parameters, region)),
            encoded_server_list=self._own_entry(),
            client_region=region,
            client_address=self._peer_address(),
            server_timestamp=_rfc_3339(int(shared.clock.time())),
            upstream_bytes_per_second=limits.read_bytes_per_second,
            downstream_bytes_per_second=limits.write_bytes_per_second,
            padding=response_padding(request),
        )
        wants_cbor = self.parameters.get("psiphon_api_response_version") == "1"
        return response.to_cbor() if wants_cbor else response.to_json()

    def _own_entry(self) -> list[str]:
        """A client that holds our entry unsigned gets the copy we were given to hand out."""
        tag = str(self.parameters.get("missing_server_entry_signature", ""))
        entry = self._shared.config.own_encoded_server_entries.get(tag)
        return [entry] if entry else []

    def _connected_request(self, request: Mapping[str, object]) -> bytes:
        """A client counts once a day: asking again gives the time it was told before."""
        validate(request, CONNECTED)
        now = truncate_to_hour(self._shared.clock.time())
        if now // _DAY != self._connected // _DAY:
            self._connected = now
        return _reply(request, {"connected_timestamp": _rfc_3339(self._connected)})

    def _status_request(self, request: Mapping[str, object]) -> bytes:
        validate(request, STATUS)
        return _reply(request, {})


_AFTER_HANDSHAKE: Final[Mapping[bytes, Callable[[ApiSession, Mapping[str, object]], bytes]]] = {
    b"psiphon-connected": ApiSession._connected_request,
    b"psiphon-status": ApiSession._status_request,
}


def _reply(request: Mapping[str, object], members: dict[str, object]) -> bytes:
    padding = response_padding(request)
    return msgspec.json.encode({**members, "padding": padding} if padding else members)


def _rfc_3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
