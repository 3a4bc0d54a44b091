"""What addresses have in common, from the command line."""

from pathlib import Path

import pytest
from tests.geoip_database import write_database
from tests.unit.cli.network.asking import ask, network_command

from headrace.cli.network.diversity import DIMENSIONS
from headrace.network.strategy.diversity import Dimension

pytestmark = pytest.mark.usefixtures("network")


def test_autonomous_systems_are_looked_up_in_a_database(tmp_path: Path) -> None:
    here = {"autonomous_system_number": 64500}
    database = write_database(tmp_path / "asn.mmdb", {"198.18.0.0/30": here}, version=4)
    found = ask("diversity", "--asn-database", database)["network"]["autonomous system"]
    assert {each["which"]: each["addresses"] for each in found} == {"64500": 3, "unknown": 5}


def test_the_kinds_are_those_of_the_strategy() -> None:
    assert [name.replace("-", " ") for name in DIMENSIONS] == list(Dimension)


def test_the_network_and_each_list_are_measured() -> None:
    found = ask("diversity")
    assert found["network"]["addresses"] == 8
    assert found["network"]["region"][0] == {"which": "DE", "addresses": 2, "share": 0.25}
    assert set(found["lists"]) == {"Testing", "channel-0", "channel-1"}
    assert found["lists"]["channel-0"]["addresses"] == 3


def test_limits_are_the_operators_if_there_are_any() -> None:
    def kinds(*options: str) -> set[str]:
        return {each["kind"] for each in ask("diversity", *options)["warnings"] if not each["channel"]}

    assert kinds() == {"provider", "wide network", "network"}
    assert kinds("--limit", "provider=100%", "--limit", "wide-network=1", "--limit", "region=0.2") == {
        "network",
        "region",
    }


def test_a_person_is_warned_of_the_list_that_is_looked_at() -> None:
    lines = network_command("diversity", "--channel", "channel-0").lines
    warnings = [line for line in lines if line.startswith("warning: ")]
    assert lines[0] == "3 addresses in the list of channel-0"
    assert warnings
    assert all("of the list of channel-0" in line for line in warnings)


def test_many_warnings_are_counted() -> None:
    lines = network_command("diversity", "--limit", "port=0", "--limit", "region=0").lines
    assert sum(line.startswith("warning: ") for line in lines) <= 20


@pytest.mark.parametrize("text", ["provider", "provider=2", "provider=x", "colour=0.3", "provider=-1%"])
def test_a_limit_is_a_kind_and_a_share(text: str) -> None:
    assert network_command("diversity", "--limit", text).code == 2
