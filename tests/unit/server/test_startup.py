"""What a server does before it serves: reading its configuration, and saying what is wrong."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server_files import LOG, configuration, logged, own_logging

from headrace.base.errors import HeadraceError, OperatorError
from headrace.server.startup import insist_on_free_ports, load_config, set_up_log, warn


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    with own_logging():
        yield


def test_a_missing_file_is_told_with_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"nowhere.*No such file.*server generate"):
        load_config(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"TunnelProtocolPorts": {}}, "TunnelProtocolPorts"),
        ({"TunnelProtocolPorts": {"QUIC-OSSH": 443}}, "TunnelProtocolPorts"),
        ({"SSHPassword": ""}, "SSHPassword"),
        ({"DrainSeconds": -1}, "DrainSeconds"),
    ],
)
def test_a_configuration_that_cannot_be_served_is_refused(
    tmp_path: Path, settings: dict[str, object], problem: str
) -> None:
    with pytest.raises(HeadraceError, match=problem):
        load_config(configuration(tmp_path, **settings))


def test_a_log_that_cannot_be_written_is_told_with_its_field(tmp_path: Path) -> None:
    path = configuration(tmp_path, LogFilename="/nonexistent/log")
    with pytest.raises(OperatorError, match=r"LogFilename.*cannot be written"):
        set_up_log(load_config(path), path)


def test_the_log_is_beside_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = configuration(tmp_path, LogFilename=LOG, LogLevel="debug", NoSuchField=1)
    config = load_config(path)
    set_up_log(config, path)
    warn(config)
    assert [line["field"] for line in logged(tmp_path)] == ["NoSuchField"]


def test_what_is_not_served_is_told(tmp_path: Path) -> None:
    path = configuration(
        tmp_path,
        TunnelProtocolPorts={"OSSH": 0, "QUIC-OSSH": 443},
        LogLevel="debug",
        AllowBogons=True,
        AllowForwardsBeforeHandshake=True,
        NoSuchField=1,
    )
    config = load_config(path)
    set_up_log(config, path)
    assert logged(tmp_path) == []
    warn(config)
    told = [
        {name: line[name] for name in ("level", "field", "protocol", "setting") if name in line}
        for line in logged(tmp_path)
    ]
    assert told == [
        {"level": "debug", "field": "NoSuchField"},
        {"level": "warning", "protocol": "QUIC-OSSH"},
        {"level": "warning", "setting": "AllowBogons"},
        {"level": "warning", "setting": "AllowForwardsBeforeHandshake"},
    ]


@pytest.mark.parametrize("listen", [None, "127.0.0.1"])
def test_a_port_that_is_taken_is_noticed_before_anything_starts(tmp_path: Path, listen: str | None) -> None:
    with socket.socket() as sharer:
        sharer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sharer.bind(("127.0.0.1", 0))
        sharer.listen()
        port = sharer.getsockname()[1]
        config = load_config(configuration(tmp_path, TunnelProtocolPorts={"OSSH": port}))
        with pytest.raises(OperatorError, match=f"OSSH cannot listen on port {port}"):
            insist_on_free_ports(config, listen)
    insist_on_free_ports(config, listen)
