"""What a client reports now and then: bytes, downloads of lists, failed tunnels, servers it wonders about.

A part that is not of its kind refuses the report. A statistic that is not in its form is left out: clients
whose disks spoil one would send it again for ever (tunnel spec §5, server lists spec §1.8).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from headrace.base.errors import RemoteProtocolError
from headrace.documents.psinet import Psinet
from headrace.server.api_parameters import FAILED_TUNNEL, REMOTE_SERVER_LIST, Form, validate
from headrace.server.stats.request_fields import request_fields

__all__ = ["StatusReport", "read_status_report"]

_Parameters = Mapping[str, object]

#: What the whole request says of the client, for statistics of old clients, which do not say it.
_ABOUT_CLIENT: Final = (
    *("propagation_channel_id", "sponsor_id", "client_version", "client_platform"),
    *("client_build_rev", "device_region"),
)
_LONGEST_DOMAIN: Final = 255
_MOST_BYTES: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """A whole report, checked."""

    host_bytes: Mapping[str, int]  #: by what the sponsor's expressions made of host names
    events: list[tuple[str, dict[str, object]]]  #: names and fields, without where the client is
    malformed: int  #: statistics that were left out
    checked_tags: int  #: that the client asked about
    invalid_checked_tags: int
    invalid_tags: list[str]  #: all servers it mentions that are no more


def read_status_report(request: _Parameters, psinet: Psinet, now: float) -> StatusReport:
    """Return what a validated status request reports. Raises RemoteProtocolError."""
    data = request["statusData"]
    assert isinstance(data, dict)
    about_client = {name: request[name] for name in _ABOUT_CLIENT if name in request}
    events: list[tuple[str, dict[str, object]]] = []
    invalid_tags: dict[str, None] = {}
    malformed = 0
    for member in _objects(data, "remote_server_list_stats"):
        statistic = {**about_client, **member}
        if _is_valid(statistic, REMOTE_SERVER_LIST):
            events.append(("remote_server_list", request_fields(statistic)))
        else:
            malformed += 1
    for statistic in _objects(data, "failed_tunnel_stats"):
        if not _is_valid(statistic, FAILED_TUNNEL):
            malformed += 1
            continue
        fields = request_fields(statistic)
        tag = statistic.get("server_entry_tag")
        if isinstance(tag, str):
            # Without a port an entry is of no use, whoever still lists it.
            fields["server_entry_valid"] = valid = (
                psinet.is_valid_tag(tag, now) and fields.get("dial_port_number") != 0
            )
            if not valid:
                invalid_tags[tag] = None
        events.append(("failed_tunnel", fields))
    checked = _texts(data, "check_server_entry_tags")
    gone = [tag for tag in checked if not psinet.is_valid_tag(tag, now)]
    return StatusReport(
        host_bytes=_host_bytes(data),
        events=events,
        malformed=malformed,
        checked_tags=len(checked),
        invalid_checked_tags=len(gone),
        invalid_tags=[*dict.fromkeys([*invalid_tags, *gone])],
    )


def _is_valid(statistic: _Parameters, form: Mapping[str, Form]) -> bool:
    try:
        validate(statistic, form)
    except RemoteProtocolError:
        return False
    return True


def _host_bytes(data: _Parameters) -> dict[str, int]:
    counts = data.get("host_bytes") or {}
    if not isinstance(counts, dict):
        raise RemoteProtocolError("host_bytes are not an object")
    return {
        host: int(count)
        for host, count in counts.items()
        if isinstance(count, int | float) and 0 < count <= _MOST_BYTES and len(host) <= _LONGEST_DOMAIN
    }


def _objects(data: _Parameters, name: str) -> list[dict[str, object]]:
    members = data.get(name) or []
    if not (isinstance(members, list) and all(isinstance(member, dict) for member in members)):
        raise RemoteProtocolError(f"{name} are no list of objects")
    return members


def _texts(data: _Parameters, name: str) -> list[str]:
    members = data.get(name) or []
    if not (isinstance(members, list) and all(isinstance(member, str) for member in members)):
        raise RemoteProtocolError(f"{name} are no list of texts")
    return members
