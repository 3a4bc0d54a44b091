"""What `headrace client` makes of its command line and files, up to the point where it would connect."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headrace.base.errors import OperatorError
from headrace.cli import client as module
from headrace.cli.root import headrace
from headrace.client.notices import Notices
from headrace.documents.client_config import ClientConfig
from headrace.documents.entry_fields import decode_fields, encode_fields
from headrace.documents.server_entry import ServerEntry
from headrace.obfuscation.default_prefix import default_prefixes
from headrace.server.generate import generate_server
from headrace.testing.peers import host_key

Started = tuple[ClientConfig, list[ServerEntry], Notices]
NETWORK = {"PropagationChannelId": "0" * 15 + "1", "SponsorId": "0" * 15 + "2"}


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def new_entry(ip: str = "192.0.2.1") -> str:
    return generate_server(ip=ip, protocols={"OSSH": 443}, host_key=host_key("rsa")).entry


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command with everything but the connecting; return what it would have run with."""

    def run(*arguments: str | Path) -> Started:
        started: list[Started] = []
        monkeypatch.setattr(module, "_run", lambda *given: started.append(given))
        result = CliRunner().invoke(headrace, ["client", *map(str, arguments)])
        if result.exception is not None:
            raise result.exception
        return started[0]

    return run


def config_file(directory: Path, **fields: object) -> Path:
    path = directory / "client.json"
    path.write_text(json.dumps({**NETWORK, **fields}))
    return path


# ---- spelling


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("-config", ["--config"]),
        ("-config=a=b", ["--config", "a=b"]),
        ("--config=x", ["--config", "x"]),
        ("--dataRootDirectory", ["--data-root-directory"]),
        ("-serverList=", ["--server-list", ""]),
        ("-formatNotices", ["--format-notices"]),
        ("-formatNotices=true", ["--format-notices"]),
        ("-formatNotices=false", []),
        ("--format-notices", ["--format-notices"]),
        ("-listenInterface=any", ["--listen-interface", "any"]),
        ("config", ["config"]),
        ("-", ["-"]),
        ("-h", ["-h"]),
        ("-nonsense", ["-nonsense"]),
    ],
)
def test_stock_spellings(written: str, read: list[str]) -> None:
    assert [*module._translate(written)] == read


@pytest.mark.parametrize("option", ["-config", "--config"])
@pytest.mark.parametrize("joined", [False, True])
def test_a_stock_command_line(option: str, joined: bool, start: Any, tmp_path: Path) -> None:
    path = config_file(tmp_path, TargetServerEntry=new_entry())
    (tmp_path / "data").mkdir()
    given = [f"{option}={path}"] if joined else [option, path]
    settings, entries, _ = start(*given, "-dataRootDirectory", tmp_path / "data", "-formatNotices")
    assert settings.sponsor_id == NETWORK["SponsorId"]
    assert settings.data_root_directory == str(tmp_path / "data")
    assert len(entries) == 1


# ---- where entries come from


def test_an_entry_alone_is_enough(start: Any) -> None:
    settings, entries, _ = start("--entry", new_entry(), "--socks-port", "1080", "--http-port", "8080")
    assert (settings.propagation_channel_id, settings.sponsor_id) == ("F" * 16, "F" * 16)
    assert (settings.local_socks_proxy_port, settings.local_http_proxy_port) == (1080, 8080)
    assert [(entry.ip_address, entry.local_source) for entry in entries] == [("192.0.2.1", "TARGET")]


def test_an_entry_may_be_in_a_file(start: Any, tmp_path: Path) -> None:
    (tmp_path / "server-entry.dat").write_text(new_entry() + "\n")
    _, entries, _ = start("--entry", "server-entry.dat")
    assert entries[0].ip_address == "192.0.2.1"


def test_a_file_whose_name_is_hexadecimal(start: Any, tmp_path: Path) -> None:
    (tmp_path / "cafe").write_text(new_entry())
    _, entries, _ = start("--entry", "cafe")
    assert entries[0].ip_address == "192.0.2.1"


def test_a_target_entry_excludes_all_others(start: Any, tmp_path: Path) -> None:
    others = {"EmbeddedServerEntryList": [new_entry("192.0.2.2")]}
    _, entries, _ = start("--config", config_file(tmp_path, TargetServerEntry=new_entry(), **others))
    assert [entry.ip_address for entry in entries] == ["192.0.2.1"]


@pytest.mark.parametrize("as_text", [False, True])
def test_embedded_and_listed_entries_go_together(as_text: bool, start: Any, tmp_path: Path) -> None:
    embedded = [new_entry("192.0.2.2"), new_entry("192.0.2.3")]
    path = config_file(tmp_path, EmbeddedServerEntryList="\n".join(embedded) if as_text else embedded)
    (tmp_path / "list").write_text(f"{new_entry('192.0.2.4')}\r\n{new_entry('192.0.2.5')}\n")
    _, entries, _ = start("--config", path, "-serverList", "list")
    assert [entry.ip_address for entry in entries] == [f"192.0.2.{number}" for number in (2, 3, 4, 5)]
    assert {entry.local_source for entry in entries} == {"EMBEDDED"}
    assert all(entry.local_timestamp.endswith(":00:00Z") for entry in entries)


def test_an_entry_that_decodes_but_is_invalid_is_passed_over(start: Any, tmp_path: Path) -> None:
    invalid = encode_fields({**decode_fields(new_entry()), "ipAddress": "home"})
    (tmp_path / "list").write_text(f"{invalid}\n{new_entry()}\n")
    _, entries, _ = start("--config", config_file(tmp_path), "--server-list", "list")
    assert [entry.ip_address for entry in entries] == ["192.0.2.1"]


def test_an_invalid_entry_as_the_target_is_a_mistake(start: Any) -> None:
    invalid = encode_fields({**decode_fields(new_entry()), "ipAddress": "home"})
    with pytest.raises(OperatorError, match=r"--entry: .* not an IP address"):
        start("--entry", invalid)


def test_no_entry_at_all_is_a_mistake(start: Any, tmp_path: Path) -> None:
    (tmp_path / "list").touch()
    with pytest.raises(OperatorError, match="no server entry"):
        start("--config", config_file(tmp_path), "--server-list", "list")


# ---- the rest


def test_the_command_line_wins_over_the_file(start: Any, tmp_path: Path) -> None:
    path = config_file(tmp_path, TargetServerEntry=new_entry(), LocalSocksProxyPort=1, ListenInterface="any")
    settings, _, _ = start("--config", path, "--socks-port", "2", "--listen-interface", "")
    assert settings.local_socks_proxy_port == 2
    assert settings.listen_interface == ""


def test_a_prefix_for_everything(start: Any) -> None:
    settings, _, _ = start("--entry", new_entry(), "--prefix")
    assert settings.prefixes() == default_prefixes()


def test_notices_are_appended_to_a_private_file(start: Any, tmp_path: Path) -> None:
    def tell(settings: ClientConfig, entries: list[ServerEntry], notices: Notices) -> None:
        notices.emit("Tunnels", count=1)

    (tmp_path / "notices").write_text("before\n")
    (tmp_path / "notices").chmod(0o600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_run", tell)
        for name in ("notices", "new"):
            result = CliRunner().invoke(headrace, ["client", "--entry", new_entry(), "-notices", name])
            assert (result.exit_code, result.output) == (0, "")
    lines = (tmp_path / "notices").read_text().splitlines()
    assert lines[0] == "before"
    assert json.loads(lines[1])["noticeType"] == "Tunnels"
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_notices_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(module, "_run", lambda settings, entries, notices: notices.emit("Tunnels", count=0))
    headrace.main(["client", "--entry", new_entry(), "-formatNotices=true"], standalone_mode=False)
    assert stream.getvalue().rstrip().endswith('Tunnels {"count":0}')


@pytest.mark.parametrize(("interface", "warned"), [("any", True), ("", False)])
def test_an_open_proxy_is_warned_about(interface: str, warned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_run", lambda *given: None)
    result = CliRunner().invoke(headrace, ["client", "--entry", new_entry(), "--listen-interface", interface])
    assert result.exit_code == 0
    assert ("anybody" in result.stderr) is warned
