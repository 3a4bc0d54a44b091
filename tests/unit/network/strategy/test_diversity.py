"""What many addresses share is counted, and warned of above a limit."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.network.strategy.fleet import DAY, NOW, channel, host, provider, server

from headrace.network.model import Status
from headrace.network.strategy.diversity import LIMITS, Dimension, Diversity, Group, diversity

MAIL = channel("Mail")
ACME, BOLD = provider("acme"), provider("bold")
FLEET = [
    server(MAIL, host(ACME), address="192.0.2.1", ossh_ports=[443, 53], created_at=NOW - 3 * DAY),
    server(MAIL, host(ACME), address="192.0.2.2", capabilities=["OSSH"], ssh_port=0),
    server(MAIL, host(ACME, region="NL", meek_port=443), address="192.0.3.1", ossh_ports=[8443]),
    server(MAIL, host(BOLD), address="2001:db8:0:1::1", created_at=NOW - 100 * DAY),
]


def groups(found: Diversity, dimension: Dimension) -> dict[str, int]:
    return {group.name: group.addresses for group in found.network.groups[dimension]}


def test_addresses_are_counted_by_all_that_they_may_share() -> None:
    found = diversity(FLEET, NOW, autonomous_system=lambda address: "64496" if "." in address else "")
    assert found.network.addresses == 4
    assert groups(found, Dimension.PROVIDER) == {"acme": 3, "bold": 1}
    assert groups(found, Dimension.AUTONOMOUS_SYSTEM) == {"64496": 3, "unknown": 1}
    assert groups(found, Dimension.WIDE_NETWORK) == {"192.0.0.0/16": 3, "2001:db8::/32": 1}
    assert groups(found, Dimension.NETWORK) == {"192.0.2.0/24": 2, "192.0.3.0/24": 1, "2001:db8::/48": 1}
    assert groups(found, Dimension.REGION) == {"DE": 3, "NL": 1}
    assert groups(found, Dimension.PORT) == {"443": 4, "22": 3, "53": 1, "8443": 1}
    assert groups(found, Dimension.CAPABILITY) == {"OSSH": 4, "SSH": 3, "ssh-api-requests": 3}
    assert groups(found, Dimension.AGE) == {"up to a month": 2, "up to a week": 1, "up to a year": 1}


def test_the_largest_group_comes_first_with_its_share() -> None:
    found = diversity(FLEET, NOW)
    assert found.network.groups[Dimension.PROVIDER] == (Group("acme", 3, 0.75), Group("bold", 1, 0.25))
    assert Dimension.AUTONOMOUS_SYSTEM not in found.network.groups


def test_servers_at_one_address_count_once_and_those_not_published_do_not() -> None:
    twin = server(MAIL, host(ACME), address="192.0.2.1")
    paused = server(MAIL, host(ACME), address="198.51.100.1", status=Status.PAUSED)
    assert diversity([FLEET[0], twin, paused], NOW).network.addresses == 1


def test_a_list_that_depends_on_one_network_is_warned_of() -> None:
    found = diversity([], NOW, lists={"Mail": FLEET, "Web": FLEET[2:]}, limits={Dimension.NETWORK: 0.4})
    (warning,) = found.warnings
    assert (warning.channel, warning.group) == ("Mail", Group("192.0.2.0/24", 2, 0.5))
    assert str(warning) == (
        "2 addresses, 50% of the list of Mail, have the network 192.0.2.0/24: the limit is 40%"
    )
    assert found.lists["Web"].addresses == 2


def test_a_share_at_the_limit_is_no_reason_for_a_warning() -> None:
    assert diversity(FLEET, NOW, limits={Dimension.NETWORK: 0.5}).warnings == ()


def test_the_network_is_warned_of_what_there_is_too_much_of() -> None:
    found = diversity(FLEET, NOW)
    assert {(each.dimension, each.group.name) for each in found.warnings} == {
        (Dimension.PROVIDER, "acme"),
        (Dimension.WIDE_NETWORK, "192.0.0.0/16"),
        (Dimension.NETWORK, "192.0.2.0/24"),
        (Dimension.REGION, "DE"),
        (Dimension.PORT, "443"),
        (Dimension.PORT, "22"),
    }
    assert all(str(each).endswith(f"the limit is {LIMITS[each.dimension]:.0%}") for each in found.warnings)
    assert "of the network, have the region DE" in " ".join(map(str, found.warnings))


def test_a_single_server_is_no_concentration() -> None:
    assert diversity(FLEET[:1], NOW).warnings == ()


def test_of_no_servers_there_is_nothing_to_tell() -> None:
    found = diversity([], NOW)
    assert found.network.addresses == 0
    assert all(each == () for each in found.network.groups.values())


def test_the_result_can_be_written_as_json() -> None:
    found = diversity(FLEET, NOW, lists={"Mail": FLEET})
    read = msgspec.json.decode(msgspec.json.encode(found))
    assert read["lists"]["Mail"]["groups"]["provider"][0] == {"name": "acme", "addresses": 3, "share": 0.75}
    assert read["warnings"][0]["dimension"] == "provider"


@pytest.mark.parametrize(
    ("days", "age"),
    [
        (0, "up to a week"),
        (7, "up to a week"),
        (8, "up to a month"),
        (31, "up to three months"),
        (366, "older"),
    ],
)
def test_ages_are_those_of_the_servers(days: int, age: str) -> None:
    one = server(MAIL, created_at=NOW - days * DAY)
    assert groups(diversity([one], NOW), Dimension.AGE) == {age: 1}


@given(st.lists(st.ip_addresses().map(str), max_size=12))
def test_each_address_is_in_one_network_of_each_size(addresses: list[str]) -> None:
    on = host()
    found = diversity([server(MAIL, on, address=each) for each in addresses], NOW).network
    for dimension in (Dimension.NETWORK, Dimension.WIDE_NETWORK, Dimension.PROVIDER, Dimension.REGION):
        assert sum(each.addresses for each in found.groups[dimension]) == found.addresses
    assert found.addresses == len(set(addresses))
    assert len(found.groups[Dimension.WIDE_NETWORK]) <= len(found.groups[Dimension.NETWORK])
