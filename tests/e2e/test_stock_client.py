"""Files, options and signals of the deployed console client, given to a real process: all work unchanged."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.docs.notices import SCHEMA
from tests.package_keys import KEY

from headrace.client.data_directory import DataDirectory
from headrace.server.generate import generate_server
from headrace.testing.dead_ends import refusing
from headrace.testing.peers import host_key

NOTICE = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
NETWORK = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}
PATIENCE = 30.0


class Client:
    """A process, and the notices it has told. Each is held against docs/notices.schema.json."""

    def __init__(self, *words: str | Path, cwd: Path) -> None:
        self.told: list[dict[str, Any]] = []
        self.rest: list[str] = []
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "headrace", "client", *map(str, words)],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._text = b""

    def until(self, *types: str) -> dict[str, Any]:
        """Wait for a notice of one of these types; return its data."""
        deadline = time.monotonic() + PATIENCE
        assert self.process.stderr is not None
        while True:
            while b"\n" in self._text:
                line, _, self._text = self._text.partition(b"\n")
                self._hear(line.decode())
                if self.told and self.told[-1]["noticeType"] in types and line.startswith(b"{"):
                    data: dict[str, Any] = self.told[-1]["data"]
                    return data
            ready, _, _ = select.select([self.process.stderr], [], [], deadline - time.monotonic())
            assert ready, f"none of {types} in {PATIENCE} seconds: {self.told}"
            data_read = os.read(self.process.stderr.fileno(), 1 << 16)
            assert data_read, f"it ended without any of {types}: {self.told} {self.rest}"
            self._text += data_read

    def ended(self) -> int:
        """Wait for its end; return its exit code."""
        _, rest = self.process.communicate(timeout=PATIENCE)
        for line in (self._text + rest).decode().splitlines():
            self._hear(line)
        return self.process.returncode

    def types(self) -> list[str]:
        return [notice["noticeType"] for notice in self.told]

    def _hear(self, line: str) -> None:
        if line.startswith("{"):
            notice = json.loads(line)
            NOTICE.validate(notice)
            self.told.append(notice)
        else:
            self.rest.append(line)


@contextlib.contextmanager
def client(*words: str | Path, cwd: Path) -> Iterator[Client]:
    running = Client(*words, cwd=cwd)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        assert running.process.stderr is not None
        running.process.stderr.close()


def config_file(directory: Path, fields: Mapping[str, object], name: str = "client.config") -> Path:
    path = directory / name
    path.write_text(json.dumps(fields))
    return path


def free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture
def closed() -> Iterator[int]:
    """A port where nobody listens."""
    with refusing() as port:
        yield port


def entry(port: int) -> str:
    """Return the entry of a server at a port of this machine."""
    return generate_server(ip="127.0.0.1", protocols={"OSSH": port}, host_key=host_key("rsa")).entry


# ---- the file that people pass around


def field_file(closed: int, socks: int = 1081, http: int = 8081) -> dict[str, object]:
    return {
        "LocalHttpProxyPort": http,
        "LocalSocksProxyPort": socks,
        "EgressRegion": "US",
        "PropagationChannelId": "FFFFFFFFFFFFFFFF",
        "RemoteServerListDownloadFilename": "remote_server_list",
        "RemoteServerListSignaturePublicKey": KEY.public.to_text(),
        "RemoteServerListUrl": f"http://127.0.0.1:{closed}/server_list_compressed",
        "SponsorId": "FFFFFFFFFFFFFFFF",
        "UseIndistinguishableTLS": True,
    }


def test_a_file_from_the_field_runs_unchanged(closed: int, tmp_path: Path) -> None:
    config = config_file(tmp_path, field_file(closed), "psiphon.config")
    ports_are_free = free(1081) and free(8081)
    with client("-config", config, cwd=tmp_path) as running:
        if not ports_are_free:
            running.until("SocksProxyPortInUse", "HttpProxyPortInUse")
            assert running.ended() == 1
            assert running.types()[-2:] == ["Error", "Exiting"]
            return
        assert running.until("ListeningSocksProxyPort") == {"port": 1081}
        assert running.until("ListeningHttpProxyPort") == {"port": 8081}
        assert running.until("Tunnels") == {"count": 0}
        with socket.create_connection(("127.0.0.1", 1081), PATIENCE):
            pass
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == 0
        assert running.types()[-1] == "Exiting"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_goes_on_trying_until_it_is_told_to_end(number: int, closed: int, tmp_path: Path) -> None:
    """The same file with ports that the system chooses, in other spellings, and with nulls."""
    fields: dict[str, object] = {
        "upstreamproxyurl": None,
        "TunnelProtocol": "OSSH",
        "EmitDiagnosticNotices": True,
        "FetchRemoteServerListRetryPeriodMilliseconds": 50,
        "EstablishTunnelWorkTimeSeconds": 0.05,
        "EstablishTunnelPausePeriodSeconds": 0.05,
        "LocalSocksProxyPort": None,
    }
    same = {name.upper(): value for name, value in field_file(closed, 0, 0).items() if "Port" not in name}
    config = config_file(tmp_path, same | fields)
    (tmp_path / "remote_server_list.part").write_text("half of it")
    with client("--config", config, cwd=tmp_path) as running:
        told = ""
        running.until("Tunnels")
        while told.count("remote server list") < 2:
            told += str(running.until("Info", "Warning")) + "\n"
        running.process.send_signal(number)
        assert running.ended() == 0
    assert running.types()[-1] == "Exiting"
    assert running.types()[0] in ("BuildInfo", "SessionId")
    assert "UseIndistinguishableTLS".upper() in str(running.told)
    assert "remote_server_list.part" not in os.listdir(tmp_path)


def test_no_tunnel_in_time_is_no_failure(closed: int, tmp_path: Path) -> None:
    fields = NETWORK | {"TargetServerEntry": entry(closed), "EstablishTunnelTimeoutSeconds": 1}
    with client("-config", config_file(tmp_path, fields), cwd=tmp_path) as running:
        assert running.ended() == 0
    assert [notice["data"] for notice in running.told[-2:]] == [{"timeout": "1s"}, {}]
    assert running.types()[-2:] == ["EstablishTunnelTimeout", "Exiting"]


# ---- notices in files


def test_notices_in_files(closed: int, tmp_path: Path) -> None:
    fields = NETWORK | {"EstablishTunnelTimeoutSeconds": 1, "EmitDiagnosticNotices": True}
    config = config_file(tmp_path, fields)
    (tmp_path / "list").write_text(entry(closed) + "\n")
    words = ["-serverList", "list", "-dataRootDirectory=.", "--useNoticeFiles", "-rotatingFileSize=300"]
    with client("-config", config, *words, cwd=tmp_path) as running:
        assert running.ended() == 0
    assert "SessionId" not in running.types()
    assert running.types()[-2:] == ["EstablishTunnelTimeout", "Exiting"]
    directory = DataDirectory(tmp_path).path
    for name in ("notices", "notices.1"):
        for line in (directory / name).read_text().splitlines():
            NOTICE.validate(json.loads(line))
    assert json.loads((directory / "notices").read_text().splitlines()[-1])["noticeType"] == "Exiting"
    assert (directory / "homepage").read_text() == ""


def test_notices_appended_to_a_file(closed: int, tmp_path: Path) -> None:
    fields = NETWORK | {"TargetServerEntry": entry(closed), "EstablishTunnelTimeoutSeconds": 1}
    for _ in range(2):
        config = config_file(tmp_path, fields)
        with client("-config", config, "-notices", "told", "-formatNotices", cwd=tmp_path) as running:
            assert running.ended() == 0
        assert (running.told, running.rest) == ([], [])
    lines = (tmp_path / "told").read_text().splitlines()
    assert [line.endswith(" Exiting {}") for line in lines].count(True) == 2
    assert (tmp_path / "told").stat().st_mode & 0o777 == 0o600


# ---- mistakes


def test_a_configuration_that_cannot_be(tmp_path: Path) -> None:
    config = config_file(tmp_path, NETWORK | {"LocalSocksProxyPort": "1080"})
    with client("-config", config, cwd=tmp_path) as running:
        assert running.ended() == 1
    assert running.types() == ["Error"]
    assert "LocalSocksProxyPort: expected a whole number" in running.told[0]["data"]["message"]


def test_a_port_that_another_program_has(closed: int, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config = config_file(tmp_path, field_file(closed, port, 0))
        with client("-config", config, cwd=tmp_path) as running:
            assert running.ended() == 1
    assert running.types() == ["SocksProxyPortInUse", "Error", "Exiting"]
    assert running.told[0]["data"] == {"port": port}
    assert f"port {port}" in running.told[1]["data"]["message"]
    assert "Traceback" not in "".join(running.rest)


@pytest.mark.parametrize("word", ["-pushAnything", "--pushAnything=1"])
def test_an_option_that_does_not_exist(word: str, tmp_path: Path) -> None:
    with client("-config=x", "-formatNotices", word, cwd=tmp_path) as running:
        assert running.ended() == 2
    assert running.rest[0].startswith("Usage: ")
    assert "No such option" in running.rest[-1]
