import pytest
from tests.recorded_events import RecordedEvents

from headrace.server.geoip import Place
from headrace.server.stats import destination_bytes
from headrace.server.stats.destination_bytes import DestinationBytes

PLACE = Place(country="DE", city="Berlin", asn="3320")
SAID = {"sponsor_id": "A" * 16, "client_platform": "Android_14_com.example", "device_region": "DE"}


@pytest.fixture
def events() -> RecordedEvents:
    return RecordedEvents()


def test_clients_of_a_kind_are_counted_together(events: RecordedEvents) -> None:
    destinations = DestinationBytes(events)
    destinations.add_domain("example.org", PLACE, SAID, 5)
    destinations.add_domain("example.org", PLACE, {**SAID, "client_platform": "Android_9"}, 6)
    destinations.add_asn("64500", PLACE, SAID, 7, 8)
    destinations.flush()
    common = {
        "client_region": "DE",
        "client_asn": "3320",
        "sponsor_id": "A" * 16,
        "client_platform": "Android",
        "device_region": "DE",
    }
    assert events.events == [
        (
            "domain_dest_bytes",
            {"domain": "example.org", **common, "bytes_tcp": 11, "bytes_udp": 0, "bytes": 11},
        ),
        ("asn_dest_bytes", {"asn": "64500", **common, "bytes_tcp": 7, "bytes_udp": 8, "bytes": 15}),
    ]


def test_each_period_begins_anew(events: RecordedEvents) -> None:
    destinations = DestinationBytes(events)
    destinations.add_domain("example.org", PLACE, SAID, 5)
    destinations.flush()
    destinations.flush()
    assert len(events.events) == 1


@pytest.mark.parametrize("count", [0, -5])
def test_nothing_is_no_news(events: RecordedEvents, count: int) -> None:
    destinations = DestinationBytes(events)
    destinations.add_domain("example.org", PLACE, SAID, count)
    destinations.flush()
    assert events.events == []


def test_made_up_kinds_fill_no_memory(events: RecordedEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destination_bytes, "MAX_KINDS", 3)
    destinations = DestinationBytes(events)
    for number in range(7):
        destinations.add_domain(f"{number}.example", PLACE, SAID, 1)
    assert len(events.events) == 6
    destinations.flush()
    assert len(events.events) == 7
