"""What `headrace client` makes of its command line and files, up to the point where it would connect."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import OperatorError
from headrace.base.rng import SeededRng
from headrace.cli import client as module
from headrace.cli.root import headrace
from headrace.client.assembly import Assembly
from headrace.client.control_place import ControlPlace
from headrace.client.data_directory import DataDirectory, default_data_directory
from headrace.documents.client_config import ClientConfig
from headrace.documents.entry_fields import decode_fields, encode_fields
from headrace.documents.server_entry import ServerEntry
from headrace.obfuscation.default_prefix import DEFAULT_SPEC
from headrace.server.generate import generate_server
from headrace.store.client.store import ClientStore
from headrace.testing.peers import host_key

Start = Callable[..., "Started"]
NETWORK = {"PropagationChannelId": "0" * 15 + "1", "SponsorId": "0" * 15 + "2"}


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def new_entry(ip: str = "192.0.2.1") -> str:
    return generate_server(ip=ip, protocols={"OSSH": 443}, host_key=host_key("rsa")).entry


@dataclass
class Started:
    """What would have been run."""

    assembly: Assembly
    place: ControlPlace | None
    system_proxy: str

    @property
    def settings(self) -> ClientConfig:
        return self.assembly.config

    @property
    def directory(self) -> DataDirectory | None:
        return self.assembly.directory

    @property
    def tried(self) -> list[ServerEntry]:
        """Servers that it would try without having imported anything."""
        return list(self.assembly.servers.entries(SeededRng(1)))


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Started]:
    """Run the command with everything but the connecting; return what it would have run with."""

    def run(*arguments: str | Path) -> Started:
        started: list[Started] = []
        monkeypatch.setattr(module, "_run", lambda *given: started.append(Started(*given)))
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


@pytest.mark.parametrize("option", ["-config", "--config"])
@pytest.mark.parametrize("joined", [False, True])
def test_a_stock_command_line(option: str, joined: bool, start: Start, tmp_path: Path) -> None:
    path = config_file(tmp_path, TargetServerEntry=new_entry())
    (tmp_path / "data").mkdir()
    given = [f"{option}={path}"] if joined else [option, path]
    started = start(*given, "-dataRootDirectory", tmp_path / "data", "-formatNotices")
    assert started.settings.sponsor_id == NETWORK["SponsorId"]
    assert started.settings.data_root_directory == str(tmp_path / "data")
    assert len(started.tried) == 1


# ---- where entries come from


def test_an_entry_alone_is_enough_and_leaves_nothing_behind(start: Start, tmp_path: Path) -> None:
    started = start("--entry", new_entry(), "--socks-port", "1080", "--http-port", "8080")
    settings = started.settings
    assert (settings.propagation_channel_id, settings.sponsor_id) == ("F" * 16, "F" * 16)
    assert (settings.local_socks_proxy_port, settings.local_http_proxy_port) == (1080, 8080)
    assert [(entry.ip_address, entry.local_source) for entry in started.tried] == [("192.0.2.1", "TARGET")]
    assert started.directory is None
    assert list(tmp_path.iterdir()) == []


def test_an_entry_may_be_in_a_file(start: Start, tmp_path: Path) -> None:
    (tmp_path / "server-entry.dat").write_text(new_entry() + "\n")
    assert start("--entry", "server-entry.dat").tried[0].ip_address == "192.0.2.1"


def test_a_file_whose_name_is_hexadecimal(start: Start, tmp_path: Path) -> None:
    (tmp_path / "cafe").write_text(new_entry())
    assert start("--entry", "cafe").tried[0].ip_address == "192.0.2.1"


def test_a_target_entry_excludes_all_others(start: Start, tmp_path: Path) -> None:
    others = {"EmbeddedServerEntryList": [new_entry("192.0.2.2")]}
    started = start("--config", config_file(tmp_path, TargetServerEntry=new_entry(), **others))
    assert [entry.ip_address for entry in started.tried] == ["192.0.2.1"]


@pytest.mark.parametrize("as_text", [False, True])
def test_embedded_and_listed_entries_go_together(as_text: bool, start: Start, tmp_path: Path) -> None:
    embedded = [new_entry("192.0.2.2"), new_entry("192.0.2.3")]
    path = config_file(tmp_path, EmbeddedServerEntryList="\n".join(embedded) if as_text else embedded)
    (tmp_path / "list").write_text(f"{new_entry('192.0.2.4')}\r\n{new_entry('192.0.2.5')}\n")
    started = start("--config", path, "-serverList", "list")
    found = {
        where: [decode_fields(line)["ipAddress"] for line in lines]
        for where, lines in started.assembly.embedded.items()
    }
    assert found == {
        "EmbeddedServerEntryList": ["192.0.2.2", "192.0.2.3"],
        "list": ["192.0.2.4", "192.0.2.5"],
    }


def test_an_invalid_entry_as_the_target_is_a_mistake(start: Start) -> None:
    invalid = encode_fields({**decode_fields(new_entry()), "ipAddress": "home"})
    with pytest.raises(OperatorError, match=r"--entry: .* not an IP address"):
        start("--entry", invalid)


# ---- what is kept


def test_what_is_learned_is_kept_in_the_directory_that_is_named(start: Start, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    started = start("--config", config_file(tmp_path), "--data-root-directory", tmp_path / "data")
    assert started.directory is not None
    assert started.directory.path.parent == tmp_path / "data"
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "data").rglob("*") if path.is_dir()} == {
        0o700
    }
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "data").rglob("*") if path.is_file()} == {
        0o600
    }


def test_without_a_name_it_is_the_users_own_place(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    started = start("--config", config_file(tmp_path))
    assert started.directory is not None
    assert started.directory.path.parent == tmp_path / "share" / "headrace"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # is to be ignored
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_data_directory() == tmp_path / ".local" / "share" / "headrace"


def nobodys_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_somebody_without_a_home_is_told_what_to_do(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobodys_home)
    with pytest.raises(OperatorError, match="--data-root-directory"):
        start("--config", config_file(tmp_path))
    assert start("--entry", new_entry()).directory is None


def test_entries_learned_before_are_tried(start: Start, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    arguments = ("--config", config_file(tmp_path), "--data-root-directory", tmp_path / "data")
    directory = start(*arguments).directory
    assert directory is not None
    store = ClientStore.open(directory.store, SYSTEM_CLOCK)
    store.entries.store(decode_fields(new_entry(), "REMOTE", "2024-01-01T00:00:00Z"), replace=True)
    store.close()
    count: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_run", lambda assembly, *_: count.append(assembly.servers.count()))
        assert CliRunner().invoke(headrace, ["client", *map(str, arguments)]).exit_code == 0
    assert count == [1]


def test_two_clients_do_not_share_a_directory(start: Start, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    arguments = ("--config", config_file(tmp_path), "--data-root-directory", tmp_path / "data")
    directory = start(*arguments).directory
    assert directory is not None
    store = ClientStore.open(directory.store, SYSTEM_CLOCK)
    with pytest.raises(OperatorError, match="already open"):
        start(*arguments)
    store.close()


def test_a_directory_that_does_not_exist_is_a_mistake(start: Start, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="does not exist; make it first"):
        start("--config", config_file(tmp_path), "--data-root-directory", tmp_path / "nowhere")


def test_a_place_that_cannot_be_used_is_a_mistake(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "share").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    with pytest.raises(OperatorError, match=r"cannot be used: .*--data-root-directory"):
        start("--config", config_file(tmp_path))


# ---- the rest


def test_the_command_line_wins_over_the_file(start: Start, tmp_path: Path) -> None:
    path = config_file(tmp_path, TargetServerEntry=new_entry(), LocalSocksProxyPort=1, ListenInterface="any")
    settings = start("--config", path, "--socks-port", "2", "--listen-interface", "").settings
    assert settings.local_socks_proxy_port == 2
    assert settings.listen_interface == ""


def test_the_desktop_is_left_alone_unless_that_is_asked_for(start: Callable[..., Started]) -> None:
    assert start("--entry", new_entry()).system_proxy == "off"
    assert start("--entry", new_entry(), "--system-proxy", "auto").system_proxy == "auto"


@pytest.mark.parametrize(
    ("words", "always", "known"),
    [
        ((), (), [DEFAULT_SPEC]),
        (("--prefix",), (DEFAULT_SPEC,), [DEFAULT_SPEC]),
        (("--prefix", "http-get"), ("http-get",), ["http-get"]),
        (("--prefix", "http-chunked"), (), ["http-chunked"]),  # framed: for servers that say they know it
        (("--prefix", "none"), (), []),
    ],
)
def test_a_prefix_for_everything(
    start: Start, words: list[str], always: tuple[str], known: list[str]
) -> None:
    settings = start("--entry", new_entry(), *words).settings
    assert settings.prefixes().names_by_port.get("", ()) == always
    assert settings.prefixes().probability == bool(always)
    assert settings.shipped_prefixes == known


def test_an_unknown_prefix(start: Start) -> None:
    result = CliRunner().invoke(headrace, ["client", "--entry", new_entry(), "--prefix", "http-put"])
    assert "there is no prefix http-put: there are http-post, " in str(result.exception)


def test_notices_are_appended_to_a_private_file(start: Start, tmp_path: Path) -> None:
    def tell(assembly: Assembly, *_: object) -> None:
        assembly.notices.emit("Tunnels", count=1)

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
    monkeypatch.setattr(module, "_run", lambda assembly, *_: assembly.notices.emit("Tunnels", count=0))
    headrace.main(["client", "--entry", new_entry(), "-formatNotices=true"], standalone_mode=False)
    assert stream.getvalue().rstrip().endswith('Tunnels {"count":0}')


@pytest.mark.parametrize(("interface", "warned"), [("any", True), ("", False)])
def test_an_open_proxy_is_warned_about(interface: str, warned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_run", lambda *_: None)
    result = CliRunner().invoke(headrace, ["client", "--entry", new_entry(), "--listen-interface", interface])
    assert result.exit_code == 0
    assert ("anybody" in result.stderr) is warned
    user = ["--listen-interface", interface, "--proxy-user", "anna:hunter2"]
    assert CliRunner().invoke(headrace, ["client", "--entry", new_entry(), *user]).stderr == ""


def test_notices_that_the_disk_does_not_take_do_not_end_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_run", lambda assembly, *_: assembly.notices.emit("Tunnels", count=1))
    result = CliRunner().invoke(headrace, ["client", "--entry", new_entry(), "--notices", "/dev/full"])
    assert (result.exit_code, result.output) == (0, "")
