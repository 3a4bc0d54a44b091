"""What a person gets wrong is told in one line that says what to mend, with exit code 2 and no traceback."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headrace.documents.entry_fields import decode_fields, encode_fields
from headrace.documents.server_list import MAX_LINE
from headrace.server.generate import (
    CONFIG_FILE,
    ENTRY_FILE,
    TACTICS_FILE,
    TRAFFIC_RULES_FILE,
    generate_server,
)
from headrace.testing.peers import host_key

NETWORK = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}
#: Deep enough to exhaust any parser that recurses.
DEEP = b'{"a":' * 100_000


def run(*arguments: str | Path, cwd: Path) -> tuple[int, list[str]]:
    """Run the command; return its exit code and what it told people, leaving notices and log lines out."""
    process = subprocess.run(
        [sys.executable, "-m", "headrace", *map(str, arguments)],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        text=True,
    )
    assert "Traceback" not in process.stderr
    return process.returncode, [line for line in process.stderr.splitlines() if not line.startswith("{")]


def complaint(*arguments: str | Path, cwd: Path) -> str:
    """Run the command, which must fail the way a person can read; return the line.

    Options of the deployed client have the exit code that goes with them there.
    """
    code, lines = run(*arguments, cwd=cwd)
    expected = 1 if {"-config", "-dataRootDirectory"} & set(arguments) else 2
    assert (code, len(lines)) == (expected, 1), lines
    assert lines[0].startswith("headrace: ")
    return lines[0]


@pytest.fixture(scope="module")
def entry() -> str:
    return generate_server(ip="127.0.0.1", protocols={"OSSH": 1}, host_key=host_key("rsa")).entry


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        yield occupant.getsockname()[1]


def client_config(directory: Path, **fields: object) -> Path:
    path = directory / "client.json"
    path.write_text(json.dumps({**NETWORK, **fields}))
    return path


def server_config(directory: Path, **fields: object) -> Path:
    """Make a server, with these fields put over its configuration; the system chooses its port."""
    fields = {"TunnelProtocolPorts": {"OSSH": 0}} | fields
    generated = generate_server(ip="127.0.0.1", protocols={"OSSH": 1}, host_key=host_key("rsa"))
    generated.write(directory / "server")
    path = directory / "server" / CONFIG_FILE
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **fields}))
    return path


# ---- words on the command line


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["--nonsense"], "No such option"),
        (["client", "--nonsense"], "No such option"),
        (["client", "-nonsense"], "No such option"),
        (["client", "surplus"], "surplus"),
        (["client"], "--entry"),
        (["client", "--config"], "requires an argument"),
        (["client", "--entry", "00", "--socks-port", "many"], "not a valid integer"),
        (["client", "--entry", "00", "--http-port", "65536"], "65536"),
        (["server", "nonsense"], "No such command"),
        (["server", "run"], "--config"),
        (["server", "run", "--config", "x", "--workers", "0"], "--workers"),
        (["server", "generate", "--ip", "127.0.0.1", "--out", "x"], "--protocol"),
        (["server", "generate", "--ip", "host", "--protocol", "OSSH:1", "--out", "x"], "not an IP address"),
        (["server", "generate", "--ip", "127.0.0.1", "--protocol", "OSSH", "--out", "x"], "OSSH:443"),
        (["server", "generate", "--ip", "127.0.0.1", "--protocol", "OSSH:0", "--out", "x"], "1 to 65535"),
        (["server", "generate", "--ip", "127.0.0.1", "--protocol", "NEW:1", "--out", "x"], "SSH and OSSH"),
        (["demo", "--megabytes", "0"], "--megabytes"),
    ],
    ids=" ".join,
)
def test_words_that_make_no_sense(arguments: list[str], told: str, tmp_path: Path) -> None:
    assert told in complaint(*arguments, cwd=tmp_path)


@pytest.mark.parametrize("group", [[], ["server"]])
def test_a_group_alone_shows_its_commands(group: list[str], tmp_path: Path) -> None:
    code, lines = run(*group, cwd=tmp_path)
    assert code == 2
    assert any("Commands:" in line for line in lines)


# ---- files


MISSING_AND_OTHERS = pytest.mark.parametrize(
    ("name", "told"),
    [("missing", "not exist|No such file"), ("folder", "[Ii]s a directory"), ("locked", "cannot be read")],
)
FILE_OPTIONS = pytest.mark.parametrize(
    "words",
    [
        ["client", "--config"],
        ["client", "-config"],
        ["client", "--entry"],
        ["client", "--entry", "ENTRY", "--server-list"],
        ["server", "run", "--config"],
    ],
    ids=" ".join,
)


@MISSING_AND_OTHERS
@FILE_OPTIONS
def test_files_that_cannot_be_read(words: list[str], name: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    if os.geteuid() == 0:  # to whom nothing is locked: this cannot be read by anybody
        (tmp_path / "locked").symlink_to("/proc/self/mem")
    else:
        (tmp_path / "locked").touch(mode=0)
    if "--server-list" in words:
        words = ["client", "--config", str(client_config(tmp_path)), "--server-list"]
    line = complaint(*words, name, cwd=tmp_path)
    assert re.search(told, line)
    assert name in line


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b"{'a': 1}", b'{"a": 1} trailing', DEEP],
    ids=["empty", "cut", "list", "null", "binary", "quotes", "trailing", "deep"],
)
@pytest.mark.parametrize("command", [["client"], ["server", "run"]], ids=["client", "server"])
def test_configurations_that_are_no_object(command: list[str], content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "settings"
    path.write_bytes(content)
    assert str(path) in complaint(*command, "--config", path, cwd=tmp_path)


# ---- the client


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"SponsorId": ""}, "SponsorId"),
        ({"LocalSocksProxyPort": "1080"}, "LocalSocksProxyPort"),
        ({"LocalSocksProxyPort": 70_000}, "LocalSocksProxyPort"),
        ({"LocalSocksProxyPort": 8, "LocalHttpProxyPort": 8}, "LocalHttpProxyPort"),
        ({"LimitTunnelProtocols": ["XSSH"]}, "XSSH"),
        ({"EmbeddedServerEntryList": 5}, "EmbeddedServerEntryList"),
        ({"EmbeddedServerEntryList": ["zz"]}, "not hexadecimal"),
        ({"TargetServerEntry": "00"}, "TargetServerEntry"),
        ({"EgressRegion": "Germany"}, "EgressRegion"),
        ({}, "no server entry"),
    ],
    ids=str,
)
def test_client_settings_that_cannot_be(fields: dict[str, Any], told: str, tmp_path: Path) -> None:
    assert told in complaint("client", "--config", client_config(tmp_path, **fields), cwd=tmp_path)


@pytest.mark.parametrize("expression", ["(", "a{2,1}", "[", "a{99999}{99999}"])
def test_a_prefix_that_is_no_expression(expression: str, entry: str, tmp_path: Path) -> None:
    config = client_config(
        tmp_path,
        TargetServerEntry=entry,
        OSSHPrefixSpecs={"mine": [["", expression]]},
        OSSHPrefixScopedSpecNames={"": ["mine"]},
        OSSHPrefixProbability=1.0,
    )
    assert "mine" in complaint("client", "--config", config, cwd=tmp_path)


def _with_port_as_text(entry: str) -> str:
    fields = decode_fields(entry)
    return encode_fields({**fields, "sshPort": "22"})


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda entry: entry[:-1], "cut short"),
        (lambda entry: entry[:4], "parts"),
        (lambda entry: entry[:-2], "JSON"),
        (lambda entry: (b"0 0 0 0 " + DEEP).hex(), "server entry"),
        (_with_port_as_text, "sshPort"),
    ],
    ids=["odd", "parts", "json", "deep", "type"],
)
@pytest.mark.parametrize("way", ["target", "file", "embedded", "list"])
def test_entries_that_cannot_be(
    spoil: Callable[[str], str], told: str, way: str, entry: str, tmp_path: Path
) -> None:
    line = spoil(entry)
    file = tmp_path / "entry"
    file.write_text(line + "\n")
    if way == "target":
        arguments: list[str | Path] = ["--config", client_config(tmp_path, TargetServerEntry=line)]
    elif way == "file":
        arguments = ["--entry", file]
    elif way == "embedded":
        arguments = ["--config", client_config(tmp_path, EmbeddedServerEntryList=[line])]
    else:
        arguments = ["--config", client_config(tmp_path), "--server-list", file]
    heard = complaint("client", *arguments, cwd=tmp_path)
    if spoil is _with_port_as_text and way in ("embedded", "list"):
        told = "none that can be used"  # a list may hold what another client can use
    if way in ("target", "file") or len(line) <= MAX_LINE:
        assert told in heard


@pytest.mark.parametrize("content", ["", "\n\n", "00 00", "a\nb\n"])
def test_a_file_with_no_entry_or_several(content: str, tmp_path: Path) -> None:
    (tmp_path / "entry").write_text(content)
    assert "--server-list" in complaint("client", "--entry", "entry", cwd=tmp_path)


@pytest.mark.parametrize(
    ("name", "field"), [("socks", "LocalSocksProxyPort"), ("http", "LocalHttpProxyPort")]
)
def test_a_local_port_that_is_taken(
    name: str, field: str, taken_port: int, entry: str, tmp_path: Path
) -> None:
    line = complaint("client", "--entry", entry, f"--{name}-port", str(taken_port), cwd=tmp_path)
    assert field in line
    assert str(taken_port) in line


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--notices", "folder", "notices"),
        ("--notices", "missing/notices", "notices"),
        ("--data-root-directory", "missing", "does not exist"),
        ("-dataRootDirectory", "entry", "does not exist"),
    ],
)
def test_places_that_are_not_there(option: str, value: str, told: str, entry: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "entry").write_text(entry)
    line = complaint("client", "--entry", "entry", option, value, cwd=tmp_path)
    assert value in line
    assert told in line


# ---- the server


def test_generating_never_replaces_keys_unasked(tmp_path: Path) -> None:
    words = ["server", "generate", "--ip", "127.0.0.1", "--protocol", "OSSH:443", "--out", "new"]
    code, lines = run(*words, cwd=tmp_path)
    assert (code, lines) == (0, [])
    before = (tmp_path / "new" / ENTRY_FILE).read_bytes()
    assert "exists already" in complaint(*words, cwd=tmp_path)
    assert (tmp_path / "new" / ENTRY_FILE).read_bytes() == before
    code, _ = run(*words, "--force", cwd=tmp_path)
    assert code == 0
    assert (tmp_path / "new" / ENTRY_FILE).read_bytes() != before


def test_generating_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = ["server", "generate", "--ip", "127.0.0.1", "--protocol", "OSSH:443", "--out", "file"]
    assert "file" in complaint(*words, cwd=tmp_path)


@pytest.mark.parametrize("protocols", [("OSSH:443", "ossh:444"), ("OSSH:443", "SSH:443")], ids=str)
def test_generating_for_protocols_that_collide(protocols: tuple[str, str], tmp_path: Path) -> None:
    words = [word for protocol in protocols for word in ("--protocol", protocol)]
    line = complaint("server", "generate", "--ip", "127.0.0.1", *words, "--out", "new", cwd=tmp_path)
    assert "OSSH" in line or "port" in line


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"ServerIPAddress": "home"}, "ServerIPAddress"),
        ({"TunnelProtocolPorts": {}}, "TunnelProtocolPorts"),
        ({"TunnelProtocolPorts": {"XSSH": 1}}, "XSSH"),
        ({"TunnelProtocolPorts": {"QUIC-OSSH": 1}}, "TunnelProtocolPorts"),
        ({"TunnelProtocolPorts": {"OSSH": 65_536}}, "65536"),
        ({"SSHPrivateKey": "nonsense"}, "key"),
        ({"SSHPrivateKey": "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"}, "key"),
        ({"LogLevel": "loud"}, "LogLevel"),
        ({"LogFilename": "/missing/log"}, "/missing/log"),
        ({"TrafficRulesFilename": "missing"}, "TrafficRulesFilename"),
        ({"TacticsConfigFilename": "missing"}, "TacticsConfigFilename"),
        ({"UDPInterceptUdpgwServerAddress": "home"}, "UDPInterceptUdpgwServerAddress"),
        ({"DNSResolverIPAddress": "home"}, "DNSResolverIPAddress"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_server_settings_that_cannot_be(
    fields: dict[str, Any], told: str, workers: str, tmp_path: Path
) -> None:
    config = server_config(tmp_path, **fields)
    assert told in complaint("server", "run", "--config", config, "--workers", workers, cwd=tmp_path)


@pytest.mark.parametrize("name", [TRAFFIC_RULES_FILE, TACTICS_FILE])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", DEEP], ids=["empty", "cut", "list", "deep"])
def test_files_of_a_server_that_cannot_be(name: str, content: bytes, tmp_path: Path) -> None:
    config = server_config(tmp_path)
    (config.parent / name).write_bytes(content)
    assert name in complaint("server", "run", "--config", config, "--workers", "1", cwd=tmp_path)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("shared", [False, True], ids=["stranger", "ourselves"])
def test_a_server_port_that_is_taken(workers: str, shared: bool, tmp_path: Path) -> None:
    """Servers started twice would share the port, and each other's clients."""
    with socket.socket() as occupant:
        occupant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        _start_on(occupant.getsockname()[1], workers, tmp_path)


def _start_on(taken_port: int, workers: str, tmp_path: Path) -> None:
    config = server_config(tmp_path, TunnelProtocolPorts={"OSSH": taken_port})
    line = complaint("server", "run", "--config", config, "--workers", workers, cwd=tmp_path)
    assert str(taken_port) in line


@pytest.mark.parametrize(("address", "told"), [("home", "IP address"), ("192.0.2.1", "this machine")])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_address_that_is_not_ours(workers: str, address: str, told: str, tmp_path: Path) -> None:
    words = ["--workers", workers, "--listen", address]
    assert told in complaint("server", "run", "--config", server_config(tmp_path), *words, cwd=tmp_path)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_data_directory_that_is_not_there(workers: str, tmp_path: Path) -> None:
    config = server_config(tmp_path)
    words = ["--workers", workers, "--data-directory", "missing"]
    assert "missing" in complaint("server", "run", "--config", config, *words, cwd=tmp_path)
