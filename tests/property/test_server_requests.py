"""Whatever a client sends inside its tunnel, the server answers it, refuses it, or ends the channel."""

import asyncio
import contextlib
import json
from collections import Counter
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.codec import bounded_cbor
from headrace.codec.packed_parameter_keys import PARAMETER_KEYS
from headrace.codec.packed_parameters import pack
from headrace.documents.authorizations import KeyRing
from headrace.documents.server_config import ServerConfig
from headrace.documents.traffic_rules import DEFAULT_TRAFFIC_RULES, ClientTraits
from headrace.server.api import ApiServices, ApiSession
from headrace.server.authorizations import Authorizations
from headrace.server.client_rules import ClientRules
from headrace.server.egress import Egress
from headrace.server.gate import Exits, Gate
from headrace.server.origin import UNKNOWN_ORIGIN
from headrace.server.udpgw_channel import UdpgwEndpoint
from headrace.ssh.liveness import MAX_BYTES, parse_liveness

SHARED = ApiServices(config=ServerConfig(server_ip_address="192.0.2.1"), rng=SeededRng(1))
HANDSHAKE = {
    "propagation_channel_id": "FFFFFFFFFFFFFFFF",
    "sponsor_id": "FFFFFFFFFFFFFFFF",
    "client_version": "1",
    "client_platform": "Linux",
    "relay_protocol": "OSSH",
}
NAMES = st.sampled_from(
    [b"psiphon-handshake", b"psiphon-connected", b"psiphon-status", b"keepalive@openssh.com", b"other"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
PACKED = st.dictionaries(st.sampled_from(sorted(PARAMETER_KEYS)) | st.integers(0, 300), VALUES).map(
    lambda members: b"\0\x01" + bounded_cbor.encode(members)
)
JSON = st.dictionaries(
    st.sampled_from([name for name, _ in PARAMETER_KEYS.values()]) | st.text(max_size=8),
    VALUES.filter(lambda value: b"" != value),
).map(lambda members: json.dumps({**HANDSHAKE, **members}, default=str).encode())


@given(st.lists(st.tuples(NAMES, st.binary() | PACKED | JSON), max_size=4), st.booleans())
def test_api_requests_are_answered_or_refused(requests: list[tuple[bytes, bytes]], greet: bool) -> None:
    traits = ClientTraits(tunnel_protocol="OSSH")
    rules = ClientRules(DEFAULT_TRAFFIC_RULES, traits, Authorizations(KeyRing(), SHARED.clock, Counter()))
    session = ApiSession(SHARED, rules, UNKNOWN_ORIGIN, lambda: "192.0.2.9")
    if greet:
        assert session.answer(b"psiphon-handshake", pack(HANDSHAKE)) is not None
    for name, payload in requests:
        reply = session.answer(name, payload)
        assert reply is None or isinstance(reply, bytes)
        assert not (session.failed and session.handshaken)


@given(
    st.binary(max_size=200)
    | JSON
    | st.fixed_dictionaries({"u": VALUES, "d": VALUES}).map(repr).map(str.encode)
)
def test_liveness_requests_are_bounded(extra: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        request = parse_liveness(extra)
        assert 0 <= request.up <= MAX_BYTES
        assert 0 <= request.down <= MAX_BYTES


class ClosedLoop:
    """A loop for an endpoint without a channel: it opens no flow, so it sets no timer."""

    def time(self) -> float:
        raise AssertionError

    call_later = time


@given(st.lists(st.binary(max_size=100), max_size=20))
def test_udpgw_garbage_raises_nothing(pieces: list[bytes]) -> None:
    limits = DEFAULT_TRAFFIC_RULES.limits_for(ClientTraits(tunnel_protocol="OSSH"))
    loop = cast("asyncio.AbstractEventLoop", ClosedLoop())
    gate = Gate(Exits(Egress(allow_bogons=False)), limits, Counter())
    endpoint = UdpgwEndpoint(gate, "192.0.2.53", loop=loop)
    for piece in pieces:
        endpoint.data(memoryview(piece))
    endpoint.closed(None)


@given(st.text() | st.ip_addresses().map(str))
def test_egress_decides_on_any_text(text: str) -> None:
    assert Egress(allow_bogons=False).permitted(text) in (True, False)
