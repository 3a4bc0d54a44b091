"""Reports of clients, read."""

import json
import math
from typing import Any

import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.documents.psinet import NO_PSINET, read_psinet
from headrace.server.status_report import StatusReport, read_status_report

CLIENT = {
    "propagation_channel_id": "F" * 16,
    "sponsor_id": "F" * 16,
    "client_version": "7",
    "client_platform": "Linux",
}
FAILED = {
    **CLIENT,
    "relay_protocol": "OSSH",
    "session_id": "00",
    "last_connected": "2026-01-01T00:00:00Z",
    "client_failed_timestamp": "2026-01-02T00:00:00Z",
    "tunnel_error": "refused",
}
FETCHED = {"client_download_timestamp": "2026-01-02T00:00:00Z", "url": "u", "etag": ""}
PSINET = read_psinet(json.dumps({"valid_server_entry_tags": {"good": True}}).encode())


def read(**data: Any) -> StatusReport:
    return read_status_report({**CLIENT, "statusData": data}, PSINET, 0.0)


def test_a_report_may_be_empty() -> None:
    assert read() == read(
        host_bytes=None, failed_tunnel_stats=None, remote_server_list_stats=[], check_server_entry_tags=None
    )
    assert read() == StatusReport(
        host_bytes={}, events=[], malformed=0, checked_tags=0, invalid_checked_tags=0, invalid_tags=[]
    )


def test_bytes() -> None:
    counts = {"a": 1, "b": 2.0, "c": 0, "d": -1, "e": "1", "f": 1e30, "x" * 256: 1, "g": None}
    assert read(host_bytes=counts).host_bytes == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "changes",
    [
        {"tunnel_error": None},
        {"tunnel_error": 5},
        {"sponsor_id": "F"},
        {"session_id": "x"},
        {"last_connected": ""},
        {"client_failed_timestamp": "2026-13-02T00:00:00Z"},
        {"relay_protocol": "UUCP"},
        {"bytes_up": "much"},
        {"record_probability": "NaN!"},
        {"server_entry_tag": ["good"]},
    ],
)
def test_failed_tunnels_that_are_left_out(changes: dict[str, object]) -> None:
    report = read(failed_tunnel_stats=[{**FAILED, **changes}, FAILED])
    assert report.malformed == 1
    assert [name for name, _ in report.events] == ["failed_tunnel"]


def test_a_long_error_is_no_reason() -> None:
    assert read(failed_tunnel_stats=[{**FAILED, "tunnel_error": "e" * 20_000}]).malformed == 0


@pytest.mark.parametrize("name", FETCHED)
def test_downloads_that_are_left_out(name: str) -> None:
    fetched = {key: value for key, value in FETCHED.items() if key != name}
    assert read(remote_server_list_stats=[fetched]).malformed == 1


def test_a_download_of_an_old_client_is_that_of_who_reports_it() -> None:
    now = {**FETCHED, "client_version": "6"}
    events = read(remote_server_list_stats=[FETCHED, now]).events
    assert [fields["client_version"] for _, fields in events] == [7, 6]


def test_servers_that_are_no_more() -> None:
    report = read(
        failed_tunnel_stats=[
            {**FAILED, "server_entry_tag": "good"},
            {**FAILED, "server_entry_tag": "gone"},
            {**FAILED, "server_entry_tag": "gone"},
            FAILED,
        ],
        check_server_entry_tags=["other", "good", "gone"],
    )
    assert report.invalid_tags == ["gone", "other"]
    assert (report.checked_tags, report.invalid_checked_tags) == (3, 2)
    assert [fields.get("server_entry_valid") for _, fields in report.events] == [True, False, False, None]


def test_an_entry_without_a_port_is_of_no_use() -> None:
    failed = [{**FAILED, "server_entry_tag": "good", "dial_port_number": port} for port in ("0", "443")]
    assert read(failed_tunnel_stats=failed[:1]).invalid_tags == ["good"]
    assert read(failed_tunnel_stats=failed[1:]).invalid_tags == []


def test_without_a_list_every_server_may_exist() -> None:
    request = {**CLIENT, "statusData": {"check_server_entry_tags": ["anything"]}}
    assert read_status_report(request, NO_PSINET, math.inf).invalid_tags == []


@pytest.mark.parametrize(
    "data",
    [
        {"host_bytes": [1]},
        {"host_bytes": "text"},
        {"failed_tunnel_stats": {"a": 1}},
        {"failed_tunnel_stats": [FAILED, "text"]},
        {"remote_server_list_stats": 5},
        {"check_server_entry_tags": {"a": 1}},
        {"check_server_entry_tags": ["a", 1]},
    ],
)
def test_a_part_of_another_kind_refuses_the_report(data: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        read(**data)
