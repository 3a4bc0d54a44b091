import pytest
from tests.recorded_events import RecordedEvents

from headrace.obfuscation.server import RejectReason
from headrace.server.geoip import Place
from headrace.server.stats.strangers import Strangers, reason_name


def test_a_line_for_each_up_to_a_number_in_a_minute() -> None:
    events = RecordedEvents()
    strangers = Strangers(events, 2, {"server_entry_tag": "t"})
    for now in (0.0, 1.0, 2.0, 59.0, 60.0, 61.0):
        strangers.tell("OSSH", 443, "seed seen before", Place(country="DE"), now)
    assert [fields.get("untold", 0) for _, fields in events.events] == [0, 0, 2, 0]
    name, fields = events.events[0]
    assert name == "irregular_tunnel"
    assert fields == {
        "server_entry_tag": "t",
        "client_region": "DE",
        "client_city": "None",
        "client_isp": "None",
        "client_asn": "None",
        "client_aso": "None",
        "listener_protocol": "OSSH",
        "listener_port_number": 443,
        "tunnel_error": "seed seen before",
    }


def test_with_none_allowed_there_are_no_lines() -> None:
    events = RecordedEvents()
    Strangers(events, 0, {}).tell("OSSH", 443, "seed seen before", Place(), 0.0)
    assert events.events == []


@pytest.mark.parametrize("reason", list(RejectReason))
def test_reasons_have_a_name(reason: RejectReason) -> None:
    assert reason_name(reason.value) == reason.name.lower()


def test_what_strangers_made_happen_is_one_counter() -> None:
    assert reason_name("message 94 of 17 bytes") == reason_name("message 95 of 18 bytes") == "not_ssh"
