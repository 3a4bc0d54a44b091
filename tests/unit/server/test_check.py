"""What is found in a server's files before it is run."""

import json
import os
import re
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.geoip_database import write_database
from tests.server_files import configuration

from headrace.documents.entry_fields import encode_fields
from headrace.documents.server_config import SERVER_FIELDS
from headrace.net.unix_socket import unix_socket
from headrace.server.check import check_server
from headrace.server.findings import Level

NOW = 1_800_000_000.0
BEYOND = (
    "2 of them are for after 2027-01-17 08:00 UTC: leave them out until then, so that who seizes this server "
    "does not learn of them"
)


def found(path: Path) -> list[tuple[str, str, int | None, str, str]]:
    """Return what is found: level, file, line, field, and the beginning of the text."""
    return [
        (finding.level.value, Path(finding.file).name, finding.line, finding.field, finding.text)
        for finding in check_server(path, None, NOW)
    ]


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def pretty(path: Path, **changes: Any) -> Path:
    """Change fields, and have each on a line of its own."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}, indent=1))
    return path


def test_generated_files_are_in_order(tmp_path: Path) -> None:
    path = configuration(tmp_path)
    assert found(path) == []


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert found(tmp_path / "missing") == [
        ("error", "missing", None, "", "cannot be read: No such file or directory")
    ]


def test_a_file_that_is_not_json(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text('{"a": 1,\n "b"}')
    path.chmod(0o600)
    ((level, _, line, field, text),) = found(path)
    assert (level, line, field) == ("error", 2, "")
    assert text.startswith("not JSON: Expecting ':' delimiter at line 2")


def test_everything_that_is_wrong_with_a_configuration_is_told_at_once(tmp_path: Path) -> None:
    path = pretty(
        configuration(tmp_path),
        **{"Workers": "two", "DrainSeconds": -1, "LogLevel": "loud", "SSHPrivateKey": "none"},
        **{"ServerDiscoveryStrategy": "magic", "LogFilename": str(tmp_path / "missing" / "log")},
    )
    problems = {field: (level, line) for level, _, line, field, _ in found(path)}
    fields = ["Workers", "DrainSeconds", "LogLevel", "SSHPrivateKey", "ServerDiscoveryStrategy"]
    assert problems == {
        **{field: ("error", line_of(path, f'"{field}"')) for field in fields},
        "LogFilename": ("error", None),
    }


def test_what_is_strange_is_a_warning(tmp_path: Path) -> None:
    path = pretty(
        configuration(tmp_path),
        **{"AllowBogons": True, "TrafficRulesFilenam": "x", "Nonsense": 1},
        **{"TunnelProtocolPorts": {"OSSH": 1, "QUIC-OSSH": 2}},
    )
    path.chmod(0o644)
    told = {field: text for level, _, _, field, text in found(path) if level == "warning"}
    assert told == {
        "AllowBogons": "is for tests: never run a public server with it",
        "TrafficRulesFilenam": "is no field: did you mean TrafficRulesFilename?",
        "Nonsense": "is of no use here",
        "TunnelProtocolPorts": "QUIC-OSSH is not spoken here, and not served",
        "": f"everybody on this machine can get at the keys of the server: chmod o= {path}",
    }


def test_every_file_that_is_named_is_looked_at(tmp_path: Path) -> None:
    """Whoever adds a field for a file adds it to the check."""
    names = {field for field in SERVER_FIELDS if "Filename" in field}
    settings = {field: [f"no/{field}"] if field.endswith("s") else f"no/{field}" for field in names}
    told = {
        field: (level, Path(file).name)
        for level, file, _, field, _ in found(configuration(tmp_path, **settings))
    }
    assert told == {field: ("error", field) for field in names}


@pytest.mark.parametrize(
    ("field", "text", "line", "inner"),
    [
        (
            "TrafficRulesFilename",
            '{"DefaultRules":\n{"AllowTCPPorts": ["x"]}}',
            2,
            "DefaultRules.AllowTCPPorts[0]",
        ),
        (
            "TacticsConfigFilename",
            '{"DefaultTactics": {"Probability": 1, "Parameters":\n{"ServerDiscoveryStrategy": "no"}}}',
            2,
            "DefaultTactics.Parameters.ServerDiscoveryStrategy",
        ),
        ("OSLConfigFilename", '{"Schemes": [\n{"SeedSpecs": 7}]}', 2, "Schemes[0].SeedSpecs"),
        (
            "PsinetDatabaseFilename",
            '{"discovery_servers": [\n{"encoded_server_entry": "x"}]}',
            2,
            "discovery_servers[0].encoded_server_entry",
        ),
        ("BlocklistFilename", '192.0.2.1,a,b\n192.0.2.2,"a', 2, ""),
    ],
)
def test_mistakes_in_the_other_files(tmp_path: Path, field: str, text: str, line: int, inner: str) -> None:
    (tmp_path / "other").write_text(text)
    (tmp_path / "other").chmod(0o600)
    ((level, file, told_line, told_field, _),) = found(configuration(tmp_path, **{field: "other"}))
    assert (level, file, told_line, told_field) == ("error", "other", line, inner)


def discoverable(number: int, starts: datetime) -> dict[str, object]:
    ends = starts + timedelta(hours=1)
    entry = encode_fields({"ipAddress": f"192.0.2.{number}"})
    return {"discovery_date_range": [starts.isoformat(), ends.isoformat()], "encoded_server_entry": entry}


def test_an_old_psinet_database_and_one_that_tells_too_much(tmp_path: Path) -> None:
    now = datetime.fromtimestamp(NOW, UTC)
    servers = [discoverable(hours, now + timedelta(hours=hours)) for hours in (0, 47, 49, 90)]
    path = tmp_path / "psinet"
    path.write_text(json.dumps({"discovery_servers": servers, "hosts": {}}))
    path.chmod(0o604)
    os.utime(path, (NOW - 30 * 3600, NOW - 30 * 3600))
    told = [text for *_, text in found(configuration(tmp_path, PsinetDatabaseFilename="psinet"))]
    assert told == [
        "is of no use here",
        f"everybody on this machine can get at entries of other servers: chmod o= {path}",
        "was written 30 hours ago: have it written anew every day",
        BEYOND,
    ]
    os.utime(path, (NOW - 23 * 3600, NOW - 23 * 3600))
    assert not any("hours ago" in text for *_, text in found(tmp_path / "psiphond.config"))


def test_good_files_of_every_kind_are_in_order(tmp_path: Path) -> None:
    write_database(tmp_path / "countries.mmdb", {"192.0.2.0/24": {"country": {"iso_code": "CH"}}})
    (tmp_path / "blocklist").write_text("192.0.2.1,source,subject\n")
    (tmp_path / "psinet").write_text("{}")
    (tmp_path / "psinet").chmod(0o600)
    os.utime(tmp_path / "psinet", (NOW, NOW))
    settings = {
        "GeoIPDatabaseFilenames": ["countries.mmdb"],
        "BlocklistFilename": "blocklist",
        "PsinetDatabaseFilename": "psinet",
    }
    assert found(configuration(tmp_path, **settings)) == []


ODD_RULES = """{"DefaultRules": {"DisallowTCPPort": [25],
"RateLimits": {"ReadBytePerSecond": 1}}, "FilteredRules": [
{"Filter": {"Region": ["CH"]}, "Other": 1},
{"Filter": {"TunnelProtocols": ["OSHS"], "AuthorizedAccessTypes": ["boost"]},
"ExceptFilter": {"Regions": ["CH"]}}]}"""
ODD_TACTICS = """{"DefaultTactics": {"Probability": 1, "TTL": "1m", "Parameters":
{"ServerOSSHPrefixSpec": {}}}}"""
ODD_PSINET = """{"sponsor": {}, "default_sponsor_id": "A",
"client_versions": {"Amiga": []}, "discovery_servers": [{"discovery_date_range":
["2026-12-02T00:00:00Z", "2026-12-01T00:00:00Z"], "encoded_server_entry": "ENTRY"}]}"""


@pytest.mark.parametrize(
    ("field", "text", "problems"),
    [
        (
            "TrafficRulesFilename",
            ODD_RULES,
            """
            1 DefaultRules.DisallowTCPPort: is no field: did you mean DisallowTCPPorts?
            2 DefaultRules.RateLimits.ReadBytePerSecond: is no field: did you mean ReadBytesPerSecond?
            3 FilteredRules[0].Other: is of no use here
            3 FilteredRules[0].Filter.Region: is no field: did you mean Regions?
            4 FilteredRules[1].Filter.TunnelProtocols: OSHS is no tunnel protocol
            4 FilteredRules[1].Filter.AuthorizedAccessTypes: nothing gives boost: \
                AccessControlVerificationKeyRing has no key for it
            5 FilteredRules[1].ExceptFilter.Regions: applies to nobody without GeoIPDatabaseFilenames
            """,
        ),
        (
            "TrafficRulesFilename",
            '{"FilteredRules": [{"Filter": {"Regions": ["ch", "None"]}}]}',
            """
            1 FilteredRules[0].Filter.Regions: ch is no country: write two capital letters
            1 FilteredRules[0].Filter.Regions: applies to nobody without GeoIPDatabaseFilenames
            """,
        ),
        ("TrafficRulesFilename", '{"FilteredRules": [{"Filter": {"Regions": ["None"]}}]}', ""),
        (
            "TacticsConfigFilename",
            ODD_TACTICS,
            """
            2 DefaultTactics.Parameters.ServerOSSHPrefixSpec: is no field: did you mean ServerOSSHPrefixSpecs?
            """,
        ),
        ("OSLConfigFilename", '{"Scheme": []}', "1 Scheme: is no field: did you mean Schemes?"),
        (
            "PsinetDatabaseFilename",
            ODD_PSINET,
            """
            1 sponsor: is no field: did you mean sponsors?
            1 default_sponsor_id: there is no sponsor A: no page is shown by default
            2 client_versions.Amiga: is none of Android, iOS, Windows, Other: nobody is told of it
            2 discovery_servers[0].discovery_date_range: is never open: write two times, of which the first \
                is the earlier
            """,
        ),
    ],
)
def test_what_is_hardly_meant_in_the_other_files(
    tmp_path: Path, field: str, text: str, problems: str
) -> None:
    path = tmp_path / "other"
    path.write_text(text.replace("ENTRY", encode_fields({"ipAddress": "192.0.2.1"})))
    path.chmod(0o600)
    os.utime(path, (NOW, NOW))
    told = found(configuration(tmp_path, **{field: "other"}))
    assert {(level, file) for level, file, *_ in told} <= {("warning", "other")}
    expected = [re.sub(" +", " ", line.strip()) for line in problems.splitlines()]
    assert [f"{line} {where}: {why}" for _, _, line, where, why in told] == [
        line for line in expected if line
    ]


def test_a_front_without_a_web_server(tmp_path: Path) -> None:
    place = tmp_path / "socket"
    path = pretty(configuration(tmp_path), HTTPFront=str(place))
    told = [("warning", path.name, line_of(path, '"HTTPFront"'), "HTTPFront")]
    assert [finding[:4] for finding in found(path)] == told
    assert found(path)[0][4] == (
        "no web server answers there (No such file or directory): strangers will hear nothing"
    )
    with unix_socket(str(place), what="a web server"):
        assert found(path) == []


def test_a_front_on_a_port_without_a_web_server(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as web:
        path = pretty(configuration(tmp_path), HTTPFront=f"127.0.0.1:{web.getsockname()[1]}")
        assert found(path) == []
    assert [finding[3:] for finding in found(path)] == [
        ("HTTPFront", "no web server answers there (Connection refused): strangers will hear nothing")
    ]


def test_a_front_without_the_port_that_it_is_for(tmp_path: Path) -> None:
    with unix_socket(str(tmp_path / "socket"), what="a web server"):
        ports = {"TunnelProtocolPorts": {"SSH": 22}, "HTTPFront": str(tmp_path / "socket")}
        path = pretty(configuration(tmp_path), **ports)
        assert [finding[3:] for finding in found(path)] == [
            ("HTTPFront", "does nothing without OSSH among TunnelProtocolPorts")
        ]


def test_what_does_nothing_alone(tmp_path: Path) -> None:
    settings = {"BlocklistActive": True, "DestinationBytesASNs": ["64500"]}
    path = pretty(configuration(tmp_path, **settings, LoadLimits={"tunnels": 1, "Tunnel": 1}))
    assert {field: (level, line, text) for level, _, line, field, text in found(path)} == {
        "BlocklistActive": (
            "warning",
            line_of(path, '"BlocklistActive"'),
            "does nothing without a list: name one as BlocklistFilename",
        ),
        "DestinationBytesASNs": (
            *("warning", line_of(path, '"DestinationBytesASNs"')),
            "counts nothing without GeoIPDatabaseFilenames",
        ),
        "LoadLimits.Tunnel": (
            *("warning", line_of(path, '"Tunnel"')),
            "is no field: did you mean Tunnels?",
        ),
    }


def test_a_data_directory_that_is_none(tmp_path: Path) -> None:
    (finding,) = check_server(configuration(tmp_path), tmp_path / "missing", NOW)
    assert (finding.level, finding.file) == (Level.ERROR, str(tmp_path / "missing"))
    assert "no directory that can be written" in finding.text
