import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.codec.packed_parameter_keys import PARAMETER_KEYS
from headrace.server.geoip import Place
from headrace.server.stats.request_fields import BASE, place_fields, request_fields

KNOWN = [name for name, _ in PARAMETER_KEYS.values()]


@pytest.mark.parametrize(
    ("name", "said", "told"),
    [
        ("client_version", "17", 17),
        ("client_version", "-1", -1),
        ("client_version", "seventeen", None),
        ("client_version", "9" * 5000, None),
        ("client_platform", "Linux", "Linux"),
        ("client_features", ["a", 1, "b"], ["a", "b"]),
        ("is_replay", "1", True),
        ("is_replay", "0", False),
        ("tunneled", "1", True),
        ("authenticated", "0", False),
        ("upstream_proxy_type", "SOCKS5", "socks5"),
        ("network_latency_multiplier", "1.5", 1.5),
        ("network_latency_multiplier", "inf", None),
        ("network_latency_multiplier", "NaN", None),
        ("network_latency_multiplier", "1,5", None),
        ("last_connected", "None", "None"),
        ("last_connected", "2024-01-02T03:04:05Z", "2024-01-02T03:00:00Z"),
        ("last_connected", "2024-01-02T03:04:05.123456789+02:00", "2024-01-02T01:00:00Z"),
        ("last_connected", "yesterday", None),
        ("last_connected", "0001-01-01T00:00:00+23:59", None),
        ("device_region", "", None),
        ("device_region", 5, None),
    ],
)
def test_each_parameter_has_its_form(name: str, said: object, told: object) -> None:
    assert request_fields({name: said}) == ({} if told is None else {name: told})


@pytest.mark.parametrize(
    "name",
    [
        *("session_id", "client_session_id", "device_location", "authorizations", "meek_resolved_ip_address"),
        *(
            "steering_ip",
            "meek_dial_address",
            "inproxy_connection_id",
            "speed_test_samples",
            "light_proxy_id",
        ),
        *("tunnel_personal_light_proxy_id", "padding", "host_id", "statusData", "made_up"),
    ],
)
def test_what_tells_clients_apart_is_left_out(name: str) -> None:
    assert request_fields({name: "123"}) == {}


def test_only_names_that_were_asked_for() -> None:
    said = {"sponsor_id": "F" * 16, "ossh_prefix": "x", "device_region": "DE"}
    assert request_fields(said, BASE) == {"sponsor_id": "F" * 16, "device_region": "DE"}


def test_a_place_without_spaces() -> None:
    place = Place(country="DE", city="Bad Aibling", isp="An ISP", asn="3320", aso="Some AS")
    assert place_fields(place) == {
        "client_region": "DE",
        "client_city": "Bad_Aibling",
        "client_isp": "An_ISP",
        "client_asn": "3320",
        "client_aso": "Some_AS",
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(KNOWN) | st.text(), json_values))
def test_whatever_clients_say_is_json_that_can_be_read(said: dict[str, object]) -> None:
    fields = request_fields(said)
    assert json.loads(json.dumps(fields, allow_nan=False)) == fields
