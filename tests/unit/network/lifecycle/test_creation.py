"""Servers are created with all they need, and nobody is told of them before a client went through."""

import base64
from typing import Any

import pytest

from headrace.base.errors import OperatorError
from headrace.network.book import Book, Change, Invalid
from headrace.network.lifecycle.brands import add_channel
from headrace.network.lifecycle.creation import Machine, create_server, give_role, record_test
from headrace.network.model import LOCAL, ProviderRank, Server, Status
from headrace.network.strategy.roles import Role, roles
from headrace.ssh.host_keys import HostKey

KEY = HostKey.generate("ed25519")
HERE = Machine(address="203.0.113.1", region="SE")
PORTS = {"SSH": 2022, "OSSH": 4443}
SCHEME = {
    "MasterKey": "scheme-master",
    "Epoch": "2027-01-01T00:00:00Z",
    "SeedSpecs": [
        {
            "ID": base64.b64encode(bytes(32)).decode(),
            "UpstreamSubnets": ["0.0.0.0/0"],
            "Targets": {"BytesRead": 1},
        }
    ],
    "SeedSpecThreshold": 1,
    "SeedPeriodNanoseconds": 3_600_000_000_000,
    "SeedPeriodKeySplits": [{"Total": 2, "Threshold": 1}],
}


def create(change: Change, machine: Machine = HERE, role: Role = Role.PERMANENT, **options: Any) -> Server:
    options.setdefault("host_key", KEY)
    return create_server(change, change.channel("channel-0"), machine, role, **options)


def test_a_new_server_is_active_and_not_published(book: Book) -> None:
    with book.change("ann", "test") as change:
        name = create(change).pseudonym
    with book.view() as view:
        server = view.server(name)
        assert (server.status, server.host.status, server.host.deployment) == ("active", "active", LOCAL)
        assert server.tested_at is None and not server.published
        assert server.address == "203.0.113.1" and server.host.region == "SE"
        assert server.tag and {"ssh_private_key", "web_secret"} <= view.secrets(server).keys()


def test_a_test_that_is_passed_makes_it_known(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = create(change)
        assert record_test(change, server, [])
        assert server.published and server.tested_at == change.now


def test_a_test_that_fails_is_on_record_and_takes_nothing_back(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = create(change)
        assert not record_test(change, server, ["OSSH: refused"])
        assert server.tested_at is None
        record_test(change, server, [])
        record_test(change, server, ["OSSH: refused"])
        assert server.published
    assert {"test": ["OSSH: refused"]} in [event.after for event in change.events]


def test_ports_are_drawn_by_a_recipe_that_is_on_record(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = create(change)
        assert server.recipe and server.recipe_seed and "minute" in server.rate_limit
        drawn = [port for port in (server.ssh_port, *server.ossh_ports) if port]
        assert drawn and min(drawn) >= 1024  # this machine: nobody has to be root
        assert {"SSH": server.ssh_port, "OSSH": server.ossh_ports}.keys() >= set(server.capabilities[:1])


def test_ports_that_are_given_are_used(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = create(change, ports=PORTS)
        assert (server.ssh_port, server.ossh_ports, server.recipe) == (2022, [4443], "")
        assert server.capabilities[:2] == ["SSH", "OSSH"] and len(server.capabilities) == 3


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        ({}, "needs SSH or OSSH"),
        ({"QUIC": 443}, "speaks nothing else"),
        ({"SSH": 0}, "port 0"),
        ({"SSH": 65536}, "65536"),
        ({"SSH": 443, "OSSH": 443}, "share a port"),
    ],
)
def test_ports_that_cannot_be_are_refused(book: Book, ports: dict[str, int], said: str) -> None:
    with pytest.raises(OperatorError, match=said), book.change("ann", "test") as change:
        create(change, ports=ports)


def test_servers_at_one_address_do_not_share_ports(book: Book) -> None:
    with book.change("ann", "test") as change:
        create(change, ports=PORTS)
        with pytest.raises(OperatorError, match="port 2022 is taken"):
            create(change, ports={"SSH": 2022})
        servers = [create(change) for _ in range(5)]
        drawn = [port for server in servers for port in (server.ssh_port, *server.ossh_ports) if port]
        assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"address": "example.org"}, "not an IP address"),
        ({"address": "fe80::1%eth0"}, "not an IP address"),
        ({"region": ""}, "not a region"),
        ({"region": "se"}, "not a region"),
        ({"deployment": "native"}, "host key has to be known"),
        ({"name": "machine-00000"}, "another name"),
        ({"name": "../machine"}, "no name of a host"),
        ({"name": ".hidden"}, "no name of a host"),
        ({"name": "m" * 65}, "no name of a host"),
    ],
)
def test_machines_that_cannot_be_are_refused(book: Book, facts: dict[str, Any], said: str) -> None:
    given = {"address": "203.0.113.1", "region": "SE"} | facts
    with pytest.raises(OperatorError, match=said), book.change("ann", "test") as change:
        create(change, Machine(**given))


def test_a_machine_elsewhere_is_known_by_its_facts(book: Book) -> None:
    machine = Machine(
        address="2001:DB8::0001",
        region="NL",
        name="far",
        deployment="native",
        management_address="192.0.2.7",
        management_port=2200,
        management_host_key="ssh-ed25519 AAAA",
        management_credential="a secret",
    )
    with book.change("ann", "test") as change:
        create(change, machine)
    with book.view() as view:
        host = view.host("far")
        assert view.server("2001:db8::1").host is host
        assert (host.management_address, host.management_port) == ("192.0.2.7", 2200)
        assert view.secrets(host)["management_credential"] == "a secret"
    assert "a secret" not in repr(machine)


@pytest.mark.parametrize("role", [Role.PERMANENT, Role.PROPAGATION, Role.DISCOVERY, Role.RETAINED])
def test_a_server_has_the_role_that_is_asked_for(book: Book, role: Role) -> None:
    with book.change("ann", "test") as change:
        assert roles(create(change, role=role, ports=PORTS)) == {role}


def test_a_discovery_server_is_told_of_for_a_week_from_midnight_on(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = create(change, role=Role.DISCOVERY)
        assert server.discovery_start is not None and server.discovery_end is not None
        assert server.discovery_start > change.now and server.discovery_start.hour == 0
        assert (server.discovery_end - server.discovery_start).days == 7


def test_an_obfuscated_server_is_in_the_present_lists_of_the_channels_schemes(book: Book) -> None:
    with book.change("ann", "test") as change:
        channel = change.channel("channel-0")
        change.settings.osl_schemes = [SCHEME | {"PropagationChannelIDs": [channel.public_id]}]
        server = create(change, role=Role.OSL)
        assert roles(server) == {Role.OSL}
        assert len(server.osl_ids) == 1 and len(bytes.fromhex(server.osl_ids[0])) == 32


def test_an_obfuscated_server_of_a_channel_without_schemes_is_refused(book: Book) -> None:
    with pytest.raises(OperatorError, match="no scheme"), book.change("ann", "test") as change:
        create(change, role=Role.OSL)


def test_two_discovery_servers_at_one_address_are_refused(book: Book) -> None:
    with pytest.raises(Invalid, match="two servers of discovery"), book.change("ann", "test") as change:
        create(change, role=Role.DISCOVERY)
        create(change, role=Role.DISCOVERY)


def test_the_provider_is_drawn_by_the_weights_of_the_channel(book: Book) -> None:
    with book.change("ann", "test") as change:
        stratus = change.provider("stratus-hosting")
        channel = add_channel(change, "other")
        change.add(ProviderRank(provider_id=stratus.id, channel_id=channel.id, weight=0))
        change.session.flush()
        assert create(change).host.provider is stratus
        with pytest.raises(OperatorError, match="no provider may be chosen"):
            create_server(change, channel, HERE, Role.PERMANENT, host_key=KEY)
        given = create_server(change, channel, HERE, Role.PERMANENT, provider=stratus, host_key=KEY)
        assert given.host.provider is stratus


def test_a_role_comes_on_top_of_others(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = create(change)
        give_role(server, Role.DISCOVERY, change.now)
        assert roles(server) == {Role.PERMANENT, Role.DISCOVERY}
        assert Status(server.status).alive
