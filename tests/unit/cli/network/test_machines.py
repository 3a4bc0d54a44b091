"""Machines as a command line or a file names them."""

import json
from pathlib import Path
from typing import Any

import click
import pytest

from headrace.base.errors import OperatorError
from headrace.cli.network.machines import machines_of


def named(*addresses: str, file: Path | None = None, region: str | None = None, **options: Any) -> list[Any]:
    return list(machines_of(addresses, file, region=region, management_credential=None, **options))


def test_machines_share_what_the_options_say() -> None:
    found = machines_of(
        ("192.0.2.1", "192.0.2.2"), None, region="de", management_credential=None, datacenter="fra1"
    )
    assert [(each.address, each.region, each.datacenter) for each in found] == [
        ("192.0.2.1", "DE", "fra1"),
        ("192.0.2.2", "DE", "fra1"),
    ]


def test_a_credential_is_read_from_a_file_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "login").write_text("hush hush\n")
    (machine,) = machines_of(("192.0.2.1",), None, region="DE", management_credential=str(tmp_path / "login"))
    assert machine.management_credential == "hush hush"
    assert "hush" not in repr(machine)


def test_a_file_names_machines_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "machines.json"
    here = {"address": "192.0.2.1", "region": "DE"}
    there = {"address": "192.0.2.2", "region": "NL", "management_host_key": "ssh-ed25519 AAAA"}
    file.write_text(json.dumps([here, there]))
    found = machines_of((), file, region=None, management_credential=None)
    assert [(each.deployment, each.management_address) for each in found] == [
        ("local", ""),
        ("native", "192.0.2.2"),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[", "not JSON"),
        ("[]", "no list of machines"),
        ("{}", "no list of machines"),
        ("[3]", "Expected"),
        ('[{"address": "192.0.2.1"}]', "region"),
        ('[{"address": "192.0.2.1", "region": "DE", "colour": "red"}]', "'colour' is nothing of a machine"),
        ('[{"address": 3, "region": "DE"}]', "Expected `str`"),
    ],
)
def test_a_file_with_a_mistake_in_it_is_named(text: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "machines.json"
    file.write_text(text)
    with pytest.raises(OperatorError, match=complaint) as caught:
        named(file=file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("addresses", "options"),
    [
        ([], {}),
        (["192.0.2.1"], {}),  # without a region
        (["192.0.2.1"], {"file": Path("machines.json")}),
        ([], {"file": Path("machines.json"), "region": "DE"}),
        (["192.0.2.1", "192.0.2.2"], {"region": "DE", "name": "relay"}),
    ],
)
def test_machines_are_named_in_one_way(addresses: list[str], options: dict[str, Any]) -> None:
    with pytest.raises(click.UsageError):
        named(*addresses, **options)
