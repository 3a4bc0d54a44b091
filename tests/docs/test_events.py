"""docs/events.md names the events that a server writes, and every field of them."""

import ast
import json
import re

import pytest
from tests.docs.documents import ROOT
from tests.recorded_events import RecordedEvents

from headrace.server.geoip import Place
from headrace.server.stats import event_log, request_fields
from headrace.server.stats.destination_bytes import DestinationBytes
from headrace.server.stats.load_events import load_events
from headrace.server.stats.machine_figures import MachineFigures
from headrace.server.stats.snapshot import Snapshot, client_key
from headrace.server.stats.strangers import Strangers
from headrace.server.stats.tunnel_record import TunnelRecord

PAGE = (ROOT / "docs" / "events.md").read_text()
NAMED = set(re.findall(r"`(\w+)`", PAGE))


#: What a method is called that takes an event's name first.
WRITING = ("write", "_write", "_add", "append")


def written() -> set[str]:
    """Return the names of events that the code writes."""
    return {
        str(argument.value)
        for path in (ROOT / "src" / "headrace" / "server").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and getattr(call.func, "attr", "") in ("write", "_write", "_add", "append")
        for argument in _first(call)
        if isinstance(argument, ast.Constant) and re.fullmatch(r"[a-z]+(_[a-z]+)+", str(argument.value))
    }


def _first(call: ast.Call) -> list[ast.expr]:
    """Return what may be an event's name in a call: the first argument, or the first of a pair."""
    first = call.args[0] if call.args else ast.Constant("")
    return first.elts[:1] if isinstance(first, ast.Tuple) else [first]


def test_every_event_has_its_part() -> None:
    headings = {word for heading in re.findall(r"^## (.+)$", PAGE, re.MULTILINE) for word in heading.split()}
    assert len(written()) == 9
    assert written() <= headings
    assert set(event_log.COARSE) <= written()


def test_fields_of_all_events() -> None:
    log = event_log.EventLog(host={"host_id": "h", "provider": "p"})
    assert set(json.loads(log.line("server_load", {}))) <= NAMED


def test_fields_of_clients() -> None:
    assert {*request_fields.BASE, *request_fields.place_fields(Place())} <= NAMED


def test_fields_of_the_load() -> None:
    load = Snapshot(tunnels={client_key("OSSH", "DE", "1"): 1})
    for fields in load_events(load, Snapshot(), ["OSSH", "SSH"]):
        assert set(fields) <= NAMED
    assert set(MachineFigures().since_last()) <= NAMED


def test_fields_of_tunnels() -> None:
    record = TunnelRecord("", 0.0)
    record.streams.opened(1, 1)
    record.early_streams.opened(1, 1)
    assert set(record.fields(0.0, 0, handshaken=True)) <= NAMED


@pytest.mark.parametrize("coarse", [name for name, grain in event_log.COARSE.items() if grain == 3600])
def test_coarse_times(coarse: str) -> None:
    (sentence,) = re.findall(r"to the hour in (.+?), to the minute in `server_tunnel`", PAGE, re.DOTALL)
    assert f"`{coarse}`" in sentence


def test_numbers() -> None:
    assert f"cut at {event_log.MAX_TEXT} characters" in PAGE


def test_fields_of_destinations_and_strangers() -> None:
    events = RecordedEvents()
    destinations = DestinationBytes(events)
    destinations.add_domain("example.org", Place(), {}, 1)
    destinations.add_asn("64500", Place(), {}, 1, 1)
    destinations.flush()
    strangers = Strangers(events, 1, {"server_entry_tag": "t"})
    for now in (0.0, 1.0, 60.0):
        strangers.tell("OSSH", 443, "", Place(), now)
    assert len(events.events) == 4
    for _, fields in events.events:
        assert set(fields) <= NAMED
