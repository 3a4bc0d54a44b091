"""Records of the databases that are about, each in its form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.documents.geoip_record import PARTS, read_part


def read(record: object) -> dict[str, str]:
    known = {name: read_part(record, part) for name, part in PARTS.items()}
    return {name: value for name, value in known.items() if value is not None}


@pytest.mark.parametrize(
    ("record", "known"),
    [
        (
            {
                "city": {"geoname_id": 1, "names": {"de": "Delft", "en": "Delft"}},
                "country": {"iso_code": "NL", "names": {"en": "Netherlands"}},
                "registered_country": {"iso_code": "DE"},
            },
            {"country": "NL", "city": "Delft"},
        ),
        (
            {
                "autonomous_system_number": 64496,
                "autonomous_system_organization": "Example BV",
                "isp": "Example",
                "organization": "Else",
            },
            {"asn": "64496", "aso": "Example BV", "isp": "Example"},
        ),
        (
            {
                "country": {"iso_code": "NL"},
                "traits": {
                    "autonomous_system_number": 64496,
                    "autonomous_system_organization": "Example BV",
                    "isp": "Example",
                },
            },
            {"country": "NL", "asn": "64496", "aso": "Example BV", "isp": "Example"},
        ),
        (
            {"country": "NL", "country_name": "Netherlands", "asn": "AS64496", "as_name": "Example BV"},
            {"country": "NL", "asn": "64496", "aso": "Example BV"},
        ),
        (
            {"country": "Netherlands", "country_code": "NL", "asn": "AS64496", "as_name": "Example BV"},
            {"country": "NL", "asn": "64496", "aso": "Example BV"},
        ),
        ({"city": "Delft", "region": "South Holland", "country": "NL"}, {"country": "NL", "city": "Delft"}),
        (
            {"asn": "AS64496", "domain": "example.com", "name": "Example BV", "route": "192.0.2.0/24"},
            {"asn": "64496", "aso": "Example BV"},
        ),
        ({"country": {}, "city": {"names": {"de": "Delft"}}, "asn": "", "isp": ""}, {}),
        ({"asn": "ASx", "country": "N1", "city": 7, "autonomous_system_number": -1}, {}),
        ([], {}),
        ("NL", {}),
        (None, {}),
    ],
    ids=[
        *("GeoLite2 City", "GeoIP2 ISP", "DB-IP and Enterprise", "IPinfo", "IPinfo Lite", "IPinfo location"),
        *("IPinfo ASN", "empty", "odd", "list", "text", "nothing"),
    ],
)
def test_forms(record: object, known: dict[str, str]) -> None:
    assert read(record) == known


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["iso_code", "names", "en", "isp", "asn"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["country", "city", "isp", "asn", "traits", "name"]), VALUES) | VALUES)
def test_any_record_says_something_sound_or_nothing(record: object) -> None:
    known = read(record)
    assert all(known.values())
    assert known.get("asn", "0").isdigit()
    assert len(known.get("country", "NL")) == 2
