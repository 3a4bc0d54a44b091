"""The API requests of one tunnel: whole sessions, with requests as deployed clients send them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from headrace.base.rng import SeededRng
from headrace.codec import bounded_cbor
from headrace.codec.go_time import decode_time
from headrace.codec.handshake_response import HandshakeResponse, decode_handshake_response
from headrace.codec.packed_parameters import pack, to_json
from headrace.documents.server_config import ServerConfig
from headrace.documents.traffic_rules import DEFAULT_TRAFFIC_RULES, TrafficRules, read_traffic_rules
from headrace.server.api import ApiServices, ApiSession
from headrace.server.geoip import UNKNOWN, Place
from headrace.server.origin import Origin

NOON = 1_700_006_400.0  # 2023-11-15T00:00:00Z
ADDRESS = "5.6.7.8"
TAG = "eERhLEV/TvmroOEgM61F1B6nOImKksdQOwa6jP2KxtA="

BASE = {
    "propagation_channel_id": "FFFFFFFFFFFFFFFF",
    "sponsor_id": "FFFFFFFFFFFFFFFF",
    "client_version": "1",
    "client_platform": "Linux_x86_64",
}
HANDSHAKE = {**BASE, "relay_protocol": "OSSH"}
CONNECTED = {**BASE, "last_connected": "None", "establishment_duration": "120"}
STATUS = {**BASE, "statusData": {"bytes_transferred": 0, "page_views": [], "https_requests": []}}

# As ConsoleClient sends them: null for a value, empty byte strings, a full float, authorizations as bytes.
DEPLOYED_HANDSHAKE = bytes.fromhex(
    "0001b81d014180024003f604400648ffffffffffffffff0748ffffffffffffffff0800096c4c696e75785f7838365f36340af60b60"
    "0f644f53534810735353482d322e302d4f70656e5353485f372e31181d66544152474554181e74323032362d31312d32325431333a"
    "30303a30305a181f19a7f9182878202020202020202020202020202020202020202020202020202020202020202020182903182c18"
    "83182d00182e00182f19042c1834fb3ff3ba15db3397dd18366457494649187a58207844612c457f4ef9aba0e12033ad45d41ea738"
    "898a92c7503b06ba8cfd8ac6d0187b58207844612c457f4ef9aba0e12033ad45d41ea738898a92c7503b06ba8cfd8ac6d018a80118"
    "a90018ac0a18ad00"
)
DEPLOYED_STATUS = bytes.fromhex(
    "0001ab04400648ffffffffffffffff0748ffffffffffffffff0800096c4c696e75785f7838365f36340af60b601828622020182905"
    "18366457494649188e588d7b2262797465735f7472616e73666572726564223a302c22636865636b5f7365727665725f656e747279"
    "5f74616773223a6e756c6c2c22686f73745f6279746573223a7b22284f5448455229223a3435362c223132372e302e302e313a3433"
    "303830223a3435367d2c2268747470735f7265717565737473223a5b5d2c22706167655f7669657773223a5b5d7d"
)


@dataclass
class Now:
    seconds: float = NOON

    def monotonic(self) -> float:
        return self.seconds

    def boottime(self) -> float:
        return self.monotonic()

    def time(self) -> float:
        return self.seconds


def services(clock: Now | None = None, rules: TrafficRules = DEFAULT_TRAFFIC_RULES) -> ApiServices:
    config = ServerConfig(server_ip_address="192.0.2.1", own_encoded_server_entries={TAG: "30203020"})
    return ApiServices(config=config, rules=rules, clock=clock or Now(), rng=SeededRng(1))


def session(shared: ApiServices | None = None, region: str = UNKNOWN) -> ApiSession:
    return ApiSession(shared or services(), "OSSH", Origin(Place(region)), lambda: ADDRESS)


def handshaken(shared: ApiServices | None = None) -> ApiSession:
    api = session(shared)
    assert api.answer(b"psiphon-handshake", pack(HANDSHAKE)) is not None
    return api


def without(parameters: Mapping[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in parameters.items() if key != name}


@pytest.mark.parametrize("encode", [pack, to_json])
def test_handshake(encode: object) -> None:
    assert callable(encode)
    api = session()
    reply = api.answer(b"psiphon-handshake", encode({**HANDSHAKE, "egress_region": "DE"}))
    assert reply is not None
    assert json.loads(reply) == {
        "client_region": "None",
        "client_address": ADDRESS,
        "server_timestamp": "2023-11-15T00:00:00Z",
    }
    assert api.handshaken
    assert not api.failed
    assert api.parameters == {**HANDSHAKE, "egress_region": "DE"}


def test_a_deployed_clients_handshake_is_answered_in_cbor_with_the_entry_it_misses() -> None:
    api = session()
    reply = api.answer(b"psiphon-handshake", DEPLOYED_HANDSHAKE)
    assert reply is not None
    members = bounded_cbor.decode(reply)
    assert members == {
        5: ["30203020"],
        6: "None",
        7: ADDRESS,
        8: "2023-11-15T00:00:00Z",
        15: "   ",
    }
    assert decode_handshake_response(reply).encoded_server_list == ["30203020"]
    assert api.parameters["missing_server_entry_signature"] == TAG
    assert api.parameters["network_type"] == "WIFI"
    assert not {"padding", "pad_response", "authorizations"} & api.parameters.keys()


@pytest.mark.parametrize("encode", [pack, to_json])
@pytest.mark.parametrize(
    ("region", "split"), [("XX", {"XX", "DE"}), (UNKNOWN, {"DE"})], ids=["known", "unknown"]
)
def test_handshake_says_which_countries_are_not_tunnelled(
    encode: Callable[[dict[str, object]], bytes], region: str, split: set[str]
) -> None:
    api = session(region=region)
    wanted = {"split_tunnel": "1", "split_tunnel_regions": ["DE"]}
    reply = api.answer(b"psiphon-handshake", encode({**HANDSHAKE, **wanted}))
    assert reply is not None
    assert decode_handshake_response(reply).client_region == region
    assert api.split_regions == split


def test_the_address_is_not_kept() -> None:
    api = session()
    api.answer(b"psiphon-handshake", pack(HANDSHAKE))
    assert ADDRESS not in repr([getattr(api, name) for name in api.__slots__])


def test_handshake_tells_region_home_pages_and_limits() -> None:
    rules = read_traffic_rules(
        json.dumps(
            {
                "FilteredRules": [
                    {
                        "Filter": {"Regions": ["XX"], "HandshakeParameters": {"client_version": ["1"]}},
                        "Rules": {
                            "RateLimits": {"ReadBytesPerSecond": 1000, "WriteBytesPerSecond": 2000},
                        },
                    }
                ]
            }
        ).encode()
    )
    shared = services(rules=rules)
    shared = ApiServices(
        config=shared.config,
        rules=rules,
        clock=shared.clock,
        rng=shared.rng,
        homepages=lambda parameters, region: [f"https://home.example/{parameters['sponsor_id']}/{region}"],
    )
    api = session(shared, "XX")
    reply = api.answer(b"psiphon-handshake", to_json(HANDSHAKE))
    assert reply is not None
    assert decode_handshake_response(reply) == HandshakeResponse(
        homepages=["https://home.example/FFFFFFFFFFFFFFFF/XX"],
        client_region="XX",
        client_address=ADDRESS,
        server_timestamp="2023-11-15T00:00:00Z",
        upstream_bytes_per_second=1000,
        downstream_bytes_per_second=2000,
    )
    assert api.client_region == "XX"


def test_an_unknown_tag_gets_no_entry() -> None:
    reply = session().answer(
        b"psiphon-handshake", pack({**HANDSHAKE, "missing_server_entry_signature": "AAAA"})
    )
    assert reply is not None
    assert b"encoded_server_list" not in reply


@pytest.mark.parametrize("name", HANDSHAKE)
def test_a_handshake_without_a_required_parameter_ends_the_tunnel(name: str) -> None:
    api = session()
    assert api.answer(b"psiphon-handshake", to_json(without(HANDSHAKE, name))) is None
    assert api.failed
    assert not api.handshaken


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"\0\x01", b"\0\x01\xff", b"\0\x02\xa0", b"nonsense", b"{}" * 2]
)
def test_garbage_in_place_of_a_handshake_ends_the_tunnel(payload: bytes) -> None:
    api = session()
    assert api.answer(b"psiphon-handshake", payload) is None
    assert api.failed


def test_after_a_failed_handshake_there_is_no_second_chance() -> None:
    api = session()
    api.answer(b"psiphon-handshake", b"{}")
    assert api.answer(b"psiphon-handshake", pack(HANDSHAKE)) is None
    assert api.failed
    assert not api.handshaken
    assert api.answer(b"psiphon-connected", pack(CONNECTED)) is None


def test_a_second_handshake_is_refused_and_changes_nothing() -> None:
    api = handshaken()
    before = api.parameters
    assert api.answer(b"psiphon-handshake", pack({**HANDSHAKE, "client_version": "2"})) is None
    assert api.handshaken
    assert not api.failed
    assert api.parameters is before


@pytest.mark.parametrize(
    ("name", "payload"), [(b"psiphon-connected", pack(CONNECTED)), (b"psiphon-status", to_json(STATUS))]
)
def test_other_requests_wait_for_the_handshake(name: bytes, payload: bytes) -> None:
    api = session()
    assert api.answer(name, payload) is None
    assert not api.failed
    api.answer(b"psiphon-handshake", pack(HANDSHAKE))
    assert api.answer(name, payload) is not None


@pytest.mark.parametrize("name", [b"", b"tcpip-forward", b"psiphon-osl", b"psiphon-handshake\0", b"\xff"])
def test_unknown_requests_are_refused(name: bytes) -> None:
    api = handshaken()
    assert api.answer(name, pack(HANDSHAKE)) is None
    assert not api.failed


def test_connected_is_told_the_hour_once_a_day() -> None:
    clock = Now(NOON + 5 * 3600 + 1234)
    api = handshaken(services(clock))

    def connect() -> object:
        reply = api.answer(b"psiphon-connected", pack(CONNECTED))
        assert reply is not None
        return json.loads(reply)

    assert connect() == {"connected_timestamp": "2023-11-15T05:00:00Z"}
    clock.seconds += 3 * 3600
    assert connect() == {"connected_timestamp": "2023-11-15T05:00:00Z"}
    clock.seconds += 86_400
    assert connect() == {"connected_timestamp": "2023-11-16T08:00:00Z"}


@pytest.mark.parametrize(
    "last", ["None", "2023-11-15T05:00:00Z", "2023-11-15T05:00:00.123456789Z", "2023-11-15T05:00:00+0100"]
)
def test_times_of_the_last_connection(last: str) -> None:
    assert handshaken().answer(b"psiphon-connected", pack({**CONNECTED, "last_connected": last})) is not None


@pytest.mark.parametrize("last", ["", "none", "yesterday", "2023-11-15", "2023-11-15T05:00:00", 7, None])
def test_malformed_connected_requests_are_refused_but_the_tunnel_lives(last: object) -> None:
    api = handshaken()
    assert api.answer(b"psiphon-connected", to_json({**CONNECTED, "last_connected": last})) is None
    assert api.handshaken
    assert not api.failed


def test_status_of_a_deployed_client() -> None:
    assert handshaken().answer(b"psiphon-status", DEPLOYED_STATUS) == b'{"padding":"     "}'


def test_status_in_json_without_anything_to_say() -> None:
    assert handshaken().answer(b"psiphon-status", to_json(STATUS)) == b"{}"


@pytest.mark.parametrize("data", [None, "text", [], 1])
def test_status_without_an_object_is_refused(data: object) -> None:
    assert handshaken().answer(b"psiphon-status", to_json({**STATUS, "statusData": data})) is None


def test_keep_alive_is_answered_in_every_state() -> None:
    api = session(services(Now(NOON + 1234)))
    lengths = set()
    for payload in [b"", b"x" * 256] * 20:
        reply = api.answer(b"keepalive@openssh.com", payload)
        assert reply is not None
        assert reply[0] == 15
        assert decode_time(reply[1:16]) == NOON
        lengths.add(len(reply))
    assert not api.handshaken
    assert max(lengths) <= 16 + 256
    assert len(lengths) > 10  # the size says nothing


def test_reply_padding_is_bounded() -> None:
    api = session()
    reply = api.answer(b"psiphon-handshake", pack({**HANDSHAKE, "pad_response": str(2**60)}))
    assert reply is not None
    assert len(json.loads(reply)["padding"]) == 16_384
    assert api.answer(b"psiphon-status", to_json({**STATUS, "pad_response": "-5"})) == b"{}"


def test_what_is_kept_of_a_greedy_client_is_little() -> None:
    api = session()
    greedy = dict.fromkeys(("network_type", "ossh_prefix", "user_agent", "made_up"), "x" * 5000)
    assert api.answer(b"psiphon-handshake", to_json({**HANDSHAKE, "user_agent": "x" * 5000, "made_up": "y"}))
    assert api.parameters == HANDSHAKE
    assert session().answer(b"psiphon-handshake", to_json({**HANDSHAKE, **greedy})) is None
