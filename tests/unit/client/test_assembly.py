"""A client put together: whom it knows and what it keeps, by what it is given."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import OperatorError
from headrace.client.assembly import Assembly, data_directory, target_entry
from headrace.client.notices import Notices
from headrace.documents.client_config import ClientConfig, read_client_config
from headrace.server.generate import generate_server
from headrace.testing.peers import host_key

NAMES = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}


def config(**fields: Any) -> ClientConfig:
    return read_client_config(json.dumps({**NAMES, **fields}).encode())


def entry(ip: str = "192.0.2.1") -> str:
    return generate_server(ip=ip, protocols={"OSSH": 443}, host_key=host_key("rsa")).entry


def notices() -> Notices:
    return Notices(io.StringIO(), SYSTEM_CLOCK)


def test_one_target_and_nobody_else() -> None:
    settings = config(TargetServerEntry=entry(), EmbeddedServerEntryList=[entry("192.0.2.2")])
    target = target_entry(settings)
    with Assembly.opened(settings, notices(), target=target, lists={"a list": ["..."]}) as assembly:
        assert [known.ip_address for known in assembly.servers.everybody()] == ["192.0.2.1"]
        assert assembly.embedded == {}


def test_lists_are_to_be_imported() -> None:
    with Assembly.opened(
        config(EmbeddedServerEntryList=["1"]), notices(), lists={"a list": ["2"]}
    ) as assembly:
        assert assembly.servers.count() == 0
        assert assembly.embedded == {"EmbeddedServerEntryList": ["1"], "a list": ["2"]}


async def test_whoever_runs_it_is_given_all_of_it() -> None:
    with Assembly.opened(config(), notices()) as assembly:
        assert assembly.controller().config is assembly.config


def test_the_store_is_closed_after_the_block(tmp_path: Path) -> None:
    for _ in range(2):
        with Assembly.opened(config(), notices(), directory=data_directory(tmp_path)) as assembly:
            assert assembly.directory is not None
            with pytest.raises(OperatorError, match="already open"):
                with Assembly.opened(config(), notices(), directory=assembly.directory):
                    raise AssertionError("it is in use")


def test_a_target_that_is_none() -> None:
    assert target_entry(config()) is None
    with pytest.raises(OperatorError, match="--entry: "):
        target_entry(config(TargetServerEntry="00"), "--entry")


def test_a_data_directory_is_made_only_if_that_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="make it first"):
        data_directory(tmp_path / "new")
    assert data_directory(tmp_path / "new", make=True).path.is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match="cannot be used: Not a directory"):
        data_directory(tmp_path / "file" / "new", make=True)
