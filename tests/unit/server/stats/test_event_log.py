import errno
import ipaddress
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from tests.stopped_clock import StoppedClock

from headrace.base.rng import SeededRng
from headrace.documents.server_config import examine_server_config
from headrace.server.stats.event_log import MAX_TEXT, EventLog, open_event_log

NOON = 1_704_196_800.0  # 2024-01-02T12:00:00Z


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.log"


def event_log(file: Path, *, now: float = NOON) -> EventLog:
    return EventLog(file, {"host_id": "h1"}, clock=StoppedClock(now), rng=SeededRng(1))


def events(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_line_has_what_all_events_have(file: Path) -> None:
    event_log(file).write("server_load", {"establish_tunnels": True})
    (event,) = events(file)
    assert len(event.pop("event_id")) == 32
    assert event.pop("build_rev")
    assert event == {
        "event_name": "server_load",
        "timestamp": "2024-01-02T12:00:00Z",
        "host_id": "h1",
        "establish_tunnels": True,
    }


def test_no_two_events_have_an_id_in_common(file: Path) -> None:
    log = event_log(file)
    for _ in range(100):
        log.write("server_load", {})
    assert len({event["event_id"] for event in events(file)}) == 100


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("server_load", "2024-01-02T12:59:59Z"),
        ("server_tunnel", "2024-01-02T12:59:00Z"),
        ("unique_user", "2024-01-02T12:00:00Z"),
        ("failed_tunnel", "2024-01-02T12:00:00Z"),
    ],
)
def test_what_one_client_did_has_a_coarse_time(file: Path, name: str, told: str) -> None:
    event_log(file, now=NOON + 3599.9).write(name, {})
    assert events(file)[0]["timestamp"] == told


def test_fields_cannot_pretend_to_be_the_servers(file: Path) -> None:
    event_log(file).write("failed_tunnel", {"host_id": "other", "timestamp": "1970", "event_name": "x"})
    (event,) = events(file)
    assert (event["host_id"], event["event_name"]) == ("h1", "failed_tunnel")
    assert event["timestamp"].startswith("2024")


@pytest.mark.parametrize("address", ["203.0.113.7", "203.0.113.7:443", "[2001:db8::1]:443", "2001:db8::1"])
def test_addresses_are_taken_out_wherever_they_are(file: Path, address: str) -> None:
    fields = {"tunnel_error": f"dial {address}: refused", "list": [{"deep": address}], address: 1}
    event_log(file).write("failed_tunnel", fields)
    text = file.read_text()
    assert "203.0" not in text and "2001" not in text
    assert events(file)[0]["tunnel_error"].startswith("dial [redacted]")


def test_texts_are_bounded(file: Path) -> None:
    event_log(file).write("failed_tunnel", {"a": "x" * 10_000, "b": ["y" * 10_000]})
    (event,) = events(file)
    assert (len(event["a"]), len(event["b"][0])) == (MAX_TEXT, MAX_TEXT)


def test_a_text_that_is_no_text_is_written_all_the_same(file: Path) -> None:
    event_log(file).write("failed_tunnel", {"a": "\ud800\n"})
    assert events(file)[0]["a"] == "?\n"


def test_a_rotated_file_is_left_alone(file: Path, tmp_path: Path) -> None:
    log = event_log(file)
    log.write("server_load", {"n": 1})
    file.rename(tmp_path / "events.log.1")
    log.write("server_load", {"n": 2})
    assert [event["n"] for event in events(file)] == [2]
    (tmp_path / "new").write_bytes(b"")
    (tmp_path / "new").rename(file)
    log.write("server_load", {"n": 3})
    assert [event["n"] for event in events(file)] == [3]


def test_several_processes_write_to_one_file(file: Path) -> None:
    one, other = event_log(file), event_log(file)
    for n in range(4):
        (one, other)[n % 2].write("server_load", {"n": n})
    assert [event["n"] for event in events(file)] == [0, 1, 2, 3]


def test_a_full_disk_costs_lines_and_nothing_else(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = event_log(file)
    real, full = os.write, True

    def write(descriptor: int, data: bytes) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            log.write("server_load", {})
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        full = False
        log.write("server_load", {"n": 6})
        log.write("server_load", {"n": 7})
    assert [event["n"] for event in events(file)] == [6, 7]
    assert log.counts == {"event.server_load": 2, "event_dropped.unwritable": 5}
    (_, over) = caplog.records
    assert (over.getMessage(), vars(over)["dropped"]) == ("events can be written again", 5)


def test_half_a_line_spoils_no_other(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = event_log(file)
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:20]))
    log.write("server_load", {"n": 1})
    monkeypatch.setattr(os, "write", real)
    log.write("server_load", {"n": 2})
    torn, whole = file.read_text().splitlines()
    assert len(torn) == 20
    assert json.loads(whole)["n"] == 2
    assert log.counts == {"event.server_load": 1, "event_dropped.unwritable": 1}


def test_a_directory_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    log = event_log(tmp_path / "gone" / "events.log")
    log.write("server_load", {})
    (tmp_path / "gone").mkdir()
    log.write("server_load", {"n": 2})
    assert [event["n"] for event in events(tmp_path / "gone" / "events.log")] == [2]


@pytest.mark.parametrize(("field", "name"), [("EventLogFilename", "events"), ("LogFilename", "log")])
def test_a_server_writes_beside_its_configuration(tmp_path: Path, field: str, name: str) -> None:
    config, _ = examine_server_config({field: name})
    open_event_log(config, tmp_path).write("server_load", {})
    assert events(tmp_path / name)[0]["event_name"] == "server_load"


def test_without_a_file_lines_go_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    EventLog(clock=StoppedClock(NOON)).write("server_load", {"n": 1})
    assert json.loads(capfd.readouterr().err)["n"] == 1


def test_a_closed_log_opens_again(file: Path) -> None:
    log = event_log(file)
    log.write("server_load", {})
    log.close()
    log.close()
    log.write("server_load", {})
    assert len(events(file)) == 2


def test_half_an_address_is_none(file: Path) -> None:
    event_log(file).write("failed_tunnel", {"a": "x" * (MAX_TEXT - 4) + " 203.0.113.7"})
    assert "203" not in file.read_text()


def test_what_json_escapes_stays_json(file: Path) -> None:
    event_log(file).write("failed_tunnel", {"a": "\x1f::"})
    assert events(file)[0]["a"] == "\x1f::"


def test_whatever_else_is_a_text(file: Path) -> None:
    event_log(file).write("failed_tunnel", {"a": ipaddress.ip_address("203.0.113.7"), "b": {1: None}})
    assert {name: events(file)[0][name] for name in "ab"} == {"a": "[redacted]", "b": {"1": None}}
