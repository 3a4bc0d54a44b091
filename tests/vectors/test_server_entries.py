"""Server entries and lists of them, decoded as the network decodes them."""

import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headrace.base.errors import DocumentError
from headrace.documents.capabilities import TUNNEL_PROTOCOLS
from headrace.documents.entry_fields import (
    configuration_version,
    decode_fields,
    diagnostic_id,
    entry_tag,
    validate_fields,
)
from headrace.documents.server_entry import ServerEntry
from headrace.documents.server_list import read_list, stream_list

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("server_entries.json").read_text())
CASES: list[dict[str, Any]] = VECTORS["cases"]
DECODABLE = [case for case in CASES if case["decodeFieldsOK"]]
TYPED = [case for case in CASES if case["decodeStructOK"]]
LISTS: list[dict[str, Any]] = VECTORS["lists"]
TIMESTAMP = "2026-01-02T03:00:00Z"


def name_of(case: dict[str, Any]) -> str:
    return str(case["name"])


def fields_of(case: dict[str, Any]) -> dict[str, object]:
    return decode_fields(case["encoded"], case["source"], case["timestamp"])


def typed(case: dict[str, Any]) -> ServerEntry:
    return ServerEntry.decode(case["encoded"], case["source"], case["timestamp"])


@pytest.mark.parametrize("case", DECODABLE, ids=name_of)
def test_mapping(case: dict[str, Any]) -> None:
    fields = fields_of(case)
    assert fields == case["fields"]
    assert configuration_version(fields) == case["configurationVersion"]
    if "tag" in case:
        assert entry_tag(fields) == case["tag"]
        assert diagnostic_id(entry_tag(fields)) == case["diagnosticID"]


@pytest.mark.parametrize("case", [case for case in CASES if not case["decodeFieldsOK"]], ids=name_of)
def test_undecodable(case: dict[str, Any]) -> None:
    with pytest.raises(DocumentError, match="server entry"):
        fields_of(case)


@pytest.mark.parametrize("case", DECODABLE, ids=name_of)
def test_validity(case: dict[str, Any]) -> None:
    try:
        validate_fields(fields_of(case))
        valid = True
    except DocumentError:
        valid = False
    assert valid == case["validateOK"]


@pytest.mark.parametrize("case", TYPED, ids=name_of)
def test_typed_view(case: dict[str, Any]) -> None:
    entry = typed(case)
    # The record form blanks the local fields when none are supplied; ours leaves what the entry says.
    expected = ServerEntry.from_fields(
        {**case["structFields"], **{k: v for k, v in case["fields"].items() if k.startswith("local")}}
    )
    assert msgspec.structs.replace(entry, fields={}) == msgspec.structs.replace(expected, fields={})
    assert entry.encode() == case["reencodedFields"]
    assert entry.effective_tag == case["tag"]
    assert entry.diagnostic_id == case["diagnosticID"]
    assert entry.supports_ssh_api == case["supportsSSHAPIRequests"]
    assert entry.supports_only_quic_v1 == case["supportsOnlyQUICv1"]


@pytest.mark.parametrize("case", TYPED, ids=name_of)
def test_protocols(case: dict[str, Any]) -> None:
    entry = typed(case)
    ports = {name: entry.dial_port(name) for name in TUNNEL_PROTOCOLS if entry.supports(name)}
    assert ports == case["supportsProtocolDialPorts"]
    assert entry.supported_protocols() == (case["supportedProtocolsDefault"] or [])
    assert entry.supported_protocols(exclude_intensive=True) == (
        case["supportedProtocolsExcludeIntensive"] or []
    )
    assert entry.supported_protocols(upstream_proxy=True) == (case["supportedProtocolsUpstreamProxy"] or [])
    assert entry.tactics_protocols() == (case["tacticsProtocols"] or [])


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["decodeFieldsOK"] and not case["decodeStructOK"]], ids=name_of
)
def test_ill_typed(case: dict[str, Any]) -> None:
    with pytest.raises(DocumentError, match="webServerPort: expected text, got a whole number"):
        typed(case)


def list_text(case: dict[str, Any]) -> str:
    if "list" in case:
        return str(case["list"])
    # Too long to be written out: a valid entry padded to a line of so many characters.
    length = int(case["name"].split()[2])
    start, end = b'0 0 0 0 {"ipAddress":"192.0.2.9","padding":"', b'"}'
    middle = start + b"x" * (length // 2 - len(start) - len(end)) + end
    return "\n".join((case["firstLine"], middle.hex(), case["lastLine"]))


@pytest.mark.parametrize("case", LISTS, ids=name_of)
def test_whole_list(case: dict[str, Any]) -> None:
    if case["wholeListOK"]:
        entries = read_list(list_text(case), "EMBEDDED", TIMESTAMP)
        assert [entry["ipAddress"] for entry in entries] == case["wholeListIPs"]
    else:
        with pytest.raises(DocumentError, match=r"line \d+"):
            read_list(list_text(case), "EMBEDDED", TIMESTAMP)


@pytest.mark.parametrize("case", LISTS, ids=name_of)
def test_streamed_list(case: dict[str, Any]) -> None:
    addresses: list[object] = []
    try:
        for entry in stream_list(io.StringIO(list_text(case), newline="\n"), "EMBEDDED", TIMESTAMP):
            addresses.append(entry["ipAddress"])  # noqa: PERF401 - what came before an error counts
        complete = True
    except DocumentError:
        complete = False
    assert addresses == case["streamIPsBeforeEndOrError"]
    assert complete == case["streamOK"]
