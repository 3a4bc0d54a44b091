"""A client's report: any is answered or refused, and the answer names only servers that it mentions."""

from headrace.base.errors import RemoteProtocolError
from headrace.codec.packed_parameters import unpack
from headrace.documents.psinet import read_psinet
from headrace.server.api_parameters import STATUS, validate
from headrace.server.status_report import read_status_report

_PSINET = read_psinet(b'{"valid_server_entry_tags":{"good":true}}', modified=0.0)
_CLIENT = (
    b'"propagation_channel_id":"FFFFFFFFFFFFFFFF","sponsor_id":"FFFFFFFFFFFFFFFF","client_version":"1",'
    b'"client_platform":"Linux"'
)

SEEDS = [
    b"{" + _CLIENT + b',"statusData":{"host_bytes":{"a":5},"check_server_entry_tags":["good","gone"],'
    b'"remote_server_list_stats":[{"client_download_timestamp":"2026-01-01T00:00:00Z","url":"u","etag":"e"}],'
    b'"failed_tunnel_stats":[{'
    + _CLIENT
    + b',"relay_protocol":"OSSH","session_id":"00","last_connected":"None",'
    b'"client_failed_timestamp":"2026-01-01T00:00:00Z","tunnel_error":"x","server_entry_tag":"gone",'
    b'"dial_port_number":"0"}]}}',
]


def fuzz(data: bytes) -> None:
    """`data` is the request."""
    try:
        request = unpack(data)
        validate(request, STATUS)
        report = read_status_report(request, _PSINET, 0.0)
    except RemoteProtocolError:
        return
    assert all(isinstance(tag, str) and tag != "good" for tag in report.invalid_tags)
    assert len(set(report.invalid_tags)) == len(report.invalid_tags)
    assert all(0 < count < 2**63 for count in report.host_bytes.values())
    assert all(name in ("remote_server_list", "failed_tunnel") for name, _ in report.events)
