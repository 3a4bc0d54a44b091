"""A configuration, from whatever a program has it in."""

import json
from pathlib import Path

import pytest

from headrace.base.errors import DocumentError, OperatorError
from headrace.documents.client_config import read_client_config
from headrace.embed.config import Config, read_config

FIELDS = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16, "EgressRegion": "NL"}
TEXT = json.dumps(FIELDS)


@pytest.mark.parametrize(
    "config",
    [FIELDS, TEXT, f"\n {TEXT}", read_client_config(TEXT.encode())],
    ids=lambda it: type(it).__name__,
)
def test_all_forms_come_to_the_same(config: Config) -> None:
    read = read_config(config)
    assert read.egress_region == "NL"
    assert read.disable_local_socks_proxy
    assert read.disable_local_http_proxy


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file(tmp_path: Path, kind: type[str] | type[Path]) -> None:
    file = tmp_path / "client.config"
    file.write_text(TEXT)
    assert read_config(kind(file)) == read_config(FIELDS)


def test_proxies_that_are_asked_for_are_left_out() -> None:
    assert read_config({**FIELDS, "DisableLocalSocksProxy": False}).disable_local_socks_proxy


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"there\.config cannot be read: No such file"):
        read_config(tmp_path / "there.config")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({}, "PropagationChannelId is missing"),
        ('{"SponsorId": ', "configuration"),
        ({**FIELDS, "EgressRegion": b"NL"}, "JSON cannot express"),
        ({**FIELDS, "EgressRegion": 7}, "EgressRegion"),
    ],
)
def test_what_is_no_configuration(config: Config, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        read_config(config)


def test_what_is_nothing_of_the_kind() -> None:
    with pytest.raises(TypeError, match="a mapping, JSON text or the path of a file"):
        read_config(b"{}")  # type: ignore[arg-type]
