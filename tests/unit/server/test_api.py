"""The API requests of one tunnel: whole sessions, with requests as deployed clients send them."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from headrace.base.rng import SeededRng
from headrace.codec import bounded_cbor
from headrace.codec.go_time import decode_time
from headrace.codec.handshake_response import HandshakeResponse, decode_handshake_response
from headrace.codec.packed_parameters import pack, to_json
from headrace.discovery.servers import DiscoveryServer
from headrace.documents.authorizations import KeyRing
from headrace.documents.entry_fields import encode_fields
from headrace.documents.psinet import NO_PSINET, Psinet, read_psinet
from headrace.documents.server_config import ServerConfig
from headrace.documents.traffic_rules import (
    DEFAULT_TRAFFIC_RULES,
    ClientTraits,
    TrafficRules,
    read_traffic_rules,
)
from headrace.server.api import ApiServices, ApiSession
from headrace.server.authorizations import Authorizations
from headrace.server.client_rules import ClientRules
from headrace.server.geoip import UNKNOWN, Place
from headrace.server.origin import Origin

NOON = 1_700_006_400.0  # 2023-11-15T00:00:00Z
ADDRESS = "5.6.7.8:4321"
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


PSINET = read_psinet(
    json.dumps(
        {
            "sponsors": {
                "F" * 16: {
                    "home_pages": {
                        "XX": [
                            {"url": "https://home.example/?client_region=XX&client_asn=XX&client_platform=XX"}
                        ]
                    },
                    "https_request_regexes": [{"regex": "^a", "replace": "a"}],
                }
            },
            "client_versions": {"Other": [{"version": "1"}, {"version": "12"}]},
            "valid_server_entry_tags": {"good": True},
        }
    ).encode(),
    modified=NOON,
)
OWN_ENTRY = encode_fields({"ipAddress": "192.0.2.1", "tag": TAG})
OTHER_ENTRY = encode_fields({"ipAddress": "192.0.2.2"})

Events = list[tuple[str, Mapping[str, object]]]


@dataclass
class Told:
    """What the API has told of clients."""

    events: Events = field(default_factory=list)
    domains: Counter[str] = field(default_factory=Counter)

    def write(self, name: str, fields: Mapping[str, object]) -> None:
        self.events.append((name, fields))

    def count(self, domain: str, place: Place, parameters: Mapping[str, object], count: int) -> None:
        assert parameters["sponsor_id"] == "F" * 16
        self.domains[domain] += count


def services(clock: Now | None = None, psinet: Psinet = NO_PSINET, told: Told | None = None) -> ApiServices:
    told = told or Told()
    return ApiServices(
        config=ServerConfig(server_ip_address="192.0.2.1", own_encoded_server_entries={TAG: OWN_ENTRY}),
        psinet=psinet,
        write_event=told.write,
        count_domain=told.count,
        clock=clock or Now(),
        rng=SeededRng(1),
    )


def session(
    shared: ApiServices | None = None,
    region: str = UNKNOWN,
    rules: TrafficRules = DEFAULT_TRAFFIC_RULES,
    discovery: DiscoveryServer | None = None,
    counts: Counter[str] | None = None,
) -> ApiSession:
    shared = shared or services()
    traits = ClientTraits(tunnel_protocol="OSSH", region=region)
    client = ClientRules(rules, traits, Authorizations(KeyRing(), shared.clock, Counter()))
    return ApiSession(shared, client, Origin(Place(region), discovery), lambda: ADDRESS, counts)


def handshaken(shared: ApiServices | None = None) -> ApiSession:
    api = session(shared)
    assert api.answer(b"psiphon-handshake", pack(HANDSHAKE)) is not None
    return api


def greeted(api: ApiSession, **parameters: object) -> HandshakeResponse:
    """Return what a client is told in the handshake."""
    reply = api.answer(b"psiphon-handshake", to_json({**HANDSHAKE, **parameters}))
    assert reply is not None
    return decode_handshake_response(reply)


def reported(api: ApiSession, **data: object) -> list[str]:
    """Report; return the tags of servers that are no more."""
    reply = api.answer(b"psiphon-status", to_json({**STATUS, "statusData": data}))
    assert reply is not None
    tags = json.loads(reply).get("invalid_server_entry_tags", [])
    assert isinstance(tags, list)
    return tags


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
        5: [OWN_ENTRY],
        6: "None",
        7: ADDRESS,
        8: "2023-11-15T00:00:00Z",
        15: "   ",
    }
    assert decode_handshake_response(reply).encoded_server_list == [OWN_ENTRY]
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


def test_handshake_tells_all_there_is() -> None:
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
    api = session(services(psinet=PSINET), "XX", rules)
    assert greeted(api) == HandshakeResponse(
        homepages=["https://home.example/?client_region=XX&client_asn=None&client_platform=other"],
        upgrade_client_version="12",
        https_request_regexes=[{"regex": "^a", "replace": "a"}],
        client_region="XX",
        client_address=ADDRESS,
        server_timestamp="2023-11-15T00:00:00Z",
        upstream_bytes_per_second=1000,
        downstream_bytes_per_second=2000,
    )
    assert api.client_region == "XX"


def server(**changes: Any) -> DiscoveryServer:
    return DiscoveryServer(NOON - 60, NOON + 60, "192.0.2.2", OTHER_ENTRY)._replace(**changes)


def test_a_client_is_told_of_the_server_chosen_for_it() -> None:
    assert greeted(session(discovery=server())).encoded_server_list == [OTHER_ENTRY]


@pytest.mark.parametrize("changes", [{"starts": NOON + 1}, {"ends": NOON}])
def test_a_server_whose_time_is_over_by_now_is_not_told_of(changes: dict[str, float]) -> None:
    assert greeted(session(discovery=server(**changes))).encoded_server_list == []


def test_rules_may_forbid_it() -> None:
    rules = read_traffic_rules(b'{"DefaultRules": {"DisableDiscovery": true}}')
    api = session(rules=rules, discovery=server())
    assert greeted(api, missing_server_entry_signature=TAG).encoded_server_list == [OWN_ENTRY]


def test_a_clients_older_entry_is_replaced_and_no_server_told_of_twice() -> None:
    for lacking in ("missing_server_entry_signature", "missing_server_entry_provider_id"):
        told = greeted(session(discovery=server()), **{lacking: TAG}).encoded_server_list
        assert told == [OTHER_ENTRY, OWN_ENTRY]
    itself = server(address="192.0.2.1", encoded_entry=encode_fields({"ipAddress": "192.0.2.1"}))
    told = greeted(session(discovery=itself), missing_server_entry_signature=TAG).encoded_server_list
    assert told == [OWN_ENTRY]


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


@pytest.mark.parametrize(
    ("free", "answered"), [((0, 0), False), ((5, 0), False), ((0, 5), False), ((5, 5), True)]
)
def test_who_may_not_send_a_byte_does_not_count(free: tuple[int, int], answered: bool) -> None:
    limits = {
        "CloseAfterExhausted": True,
        "ReadUnthrottledBytes": free[0],
        "WriteUnthrottledBytes": free[1],
    }
    rules = read_traffic_rules(json.dumps({"DefaultRules": {"RateLimits": limits}}).encode())
    api = session(rules=rules)
    greeted(api)
    assert (api.answer(b"psiphon-connected", pack(CONNECTED)) is not None) is answered


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


FAILED = {
    **HANDSHAKE,
    "session_id": "",
    "last_connected": "None",
    "client_failed_timestamp": "2023-11-14T23:00:00Z",
    "tunnel_error": "refused",
    "server_entry_tag": "good",
}
FETCHED = {
    "client_download_timestamp": "2023-11-14T23:00:00Z",
    "url": "https://lists.example/list",
    "etag": "x",
    "tunneled": "1",
}


def test_a_unique_user_is_told_of_once_a_day() -> None:
    told = Told()
    api = handshaken(services(Now(NOON + 5 * 3600), told=told))
    assert told.events == []
    for _ in range(2):
        assert api.answer(b"psiphon-connected", pack(CONNECTED)) is not None
    ((name, fields),) = told.events
    assert name == "unique_user"
    assert fields["last_connected"] == "None"
    assert fields["sponsor_id"] == "F" * 16
    assert fields["client_region"] == UNKNOWN
    assert api.parameters["establishment_duration"] == "120"


@pytest.mark.parametrize(
    ("last", "unique"),
    [
        ("None", True),
        ("2023-11-14T23:00:00Z", True),
        ("2022-11-15T05:00:00Z", True),
        ("2023-11-15T01:00:00+02:00", True),
        ("2023-11-15T00:00:00Z", False),
        ("2023-11-15T05:00:00Z", False),
        ("2024-01-01T00:00:00Z", False),
    ],
)
def test_who_was_here_on_the_same_day_is_no_unique_user(last: str, unique: bool) -> None:
    told = Told()
    api = handshaken(services(Now(NOON + 5 * 3600), told=told))
    assert api.answer(b"psiphon-connected", pack({**CONNECTED, "last_connected": last})) is not None
    assert bool(told.events) is unique


def test_statistics_become_events() -> None:
    told = Told()
    api = handshaken(services(psinet=PSINET, told=told))
    gone = {**FAILED, "server_entry_tag": "gone"}
    assert reported(api, failed_tunnel_stats=[FAILED, gone], remote_server_list_stats=[FETCHED]) == ["gone"]
    assert [name for name, _ in told.events] == ["remote_server_list", "failed_tunnel", "failed_tunnel"]
    fetched, failed, other = (fields for _, fields in told.events)
    assert fetched["url"] == FETCHED["url"] and fetched["tunneled"] is True
    assert fetched["client_version"] == 1  # as the request says
    assert failed["tunnel_error"] == "refused" and failed["server_entry_valid"] is True
    assert other["server_entry_valid"] is False
    assert all(fields["client_region"] == UNKNOWN for _, fields in told.events)


def test_a_spoilt_statistic_is_left_out_and_counted() -> None:
    told = Told()
    counts: Counter[str] = Counter()
    api = session(services(told=told), counts=counts)
    greeted(api)
    assert reported(api, failed_tunnel_stats=[{}, FAILED, {**FAILED, "client_version": "x"}]) == []
    assert len(told.events) == 1
    assert counts["event_dropped.malformed"] == 2


def test_nothing_is_told_of_a_report_that_is_refused() -> None:
    told = Told()
    api = handshaken(services(psinet=PSINET, told=told))
    data = {"failed_tunnel_stats": [FAILED], "host_bytes": {"a": 5}, "check_server_entry_tags": "all"}
    assert api.answer(b"psiphon-status", to_json({**STATUS, "statusData": data})) is None
    assert (told.events, told.domains) == ([], Counter())


def test_a_client_may_tell_only_so_much_during_a_tunnel() -> None:
    told = Told()
    api = handshaken(services(told=told))
    for _ in range(4):
        reported(api, failed_tunnel_stats=[FAILED] * 300)
    assert len(told.events) == 1024


def test_bytes_by_domain_are_taken_from_who_was_asked_for_them() -> None:
    told = Told()
    api = handshaken(services(psinet=PSINET, told=told))
    reported(api, host_bytes={"a": 5, "b": -1})
    reported(api, host_bytes={"a": 2})
    assert told.domains == {"a": 7}
    unasked = handshaken(services(told=told))
    reported(unasked, host_bytes={"(OTHER)": 3})
    assert told.domains == {"a": 7}


def test_a_client_may_make_up_only_so_many_domains_during_a_tunnel() -> None:
    told = Told()
    counts: Counter[str] = Counter()
    api = session(services(psinet=PSINET, told=told), counts=counts)
    greeted(api)
    for first in range(0, 3000, 1000):
        reported(api, host_bytes={f"domain-{number}": 1 for number in range(first, first + 1000)})
    reported(api, host_bytes={"domain-7": 1})  # one that is known counts on
    assert len(told.domains) == 1024
    assert told.domains["domain-7"] == 2
    assert counts["event_dropped.too_many"] == 3000 - 1024


def test_bytes_by_domains_that_are_wanted_no_more_are_not_taken() -> None:
    told = Told()
    api = handshaken(services(psinet=PSINET, told=told))
    api.services = replace(api.services, psinet=NO_PSINET)
    reported(api, host_bytes={"a": 5})
    assert not told.domains


def test_servers_that_are_asked_about() -> None:
    clock = Now()
    api = handshaken(services(clock, psinet=PSINET))
    assert reported(api, check_server_entry_tags=["good", "gone", "gone"]) == ["gone"]
    assert api.tag_checks == {"requests": 1, "checked": 3, "invalid": 2}
    clock.seconds += 49 * 3600
    assert reported(api, check_server_entry_tags=["gone"]) == []  # the file is too old to say so


def test_requests_that_are_answered_are_counted() -> None:
    counts: Counter[str] = Counter()
    api = session(counts=counts)
    api.answer(b"psiphon-status", to_json(STATUS))
    api.answer(b"psiphon-handshake", pack(HANDSHAKE))
    api.answer(b"psiphon-connected", pack(CONNECTED))
    api.answer(b"psiphon-connected", b"")
    api.answer(b"psiphon-client-verification", b"{}")
    assert counts == {"api.handshake": 1, "api.connected": 1, "api.client-verification": 1}


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
