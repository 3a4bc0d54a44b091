"""A whole network with a censor in it, as the plugin gives it to any project: clients find their way."""

import pytest

from headrace.testing.censor import PASS, REFUSE, RESET, STALL, Rule
from headrace.testing.censorship import Measure
from headrace.testing.conditions import Between, Chance, Residual
from headrace.testing.measures import FirstBytes, Lag, Raid, TimeLimit
from headrace.testing.network import LIST, CensoredNetwork
from headrace.testing.origin import PAGE, payload
from headrace.testing.plugin import MakeNetwork


@pytest.mark.both_loops
async def test_a_page_and_more_through_an_open_network(censored_network: CensoredNetwork) -> None:
    network = censored_network
    async with network.client() as client:
        await client.connected()
        assert await client.fetch(network.origin.url()) == PAGE
        assert await client.fetch(network.origin.url("/bytes/300000")) == payload(300_000)
        assert client.told("Tunnels")[-1] == {"count": 1}
    passed = sum(passage.down.passed for server in network.servers for passage in server.connections)
    assert passed > 300_000


@pytest.mark.virtual_time
async def test_the_one_server_that_is_left_is_found(make_network: MakeNetwork) -> None:
    network = await make_network(6, rules=Rule(STALL, down=0))
    network.servers[1].decree(REFUSE)
    network.servers[2].decree(Rule(RESET, down=600))
    network.servers[4].decree(PASS)
    async with network.client(name="first") as client:
        await client.connected()
        assert await client.fetch(network.origin.url()) == PAGE
    assert network.servers[4].connections[0].down.passed


@pytest.mark.virtual_time
async def test_all_that_is_known_is_blocked_and_a_list_brings_another(make_network: MakeNetwork) -> None:
    network = await make_network(4, rules=Rule(STALL, down=0))
    network.servers[3].decree(PASS)
    async with network.client(network.servers[:3], EstablishTunnelWorkTimeSeconds=5) as client:
        await client.connected()
        assert network.storage.requests[0].path == LIST
        assert 5.0 <= network.time < 60.0
        assert await client.fetch(network.origin.url()) == PAGE
        assert client.store.entries.count() == 4


@pytest.mark.virtual_time
async def test_what_was_learned_is_there_for_the_next_client_of_that_name(make_network: MakeNetwork) -> None:
    network = await make_network(2)
    for knows in (network.servers[:1], []):
        async with network.client(knows, name="same") as client:
            await client.connected()
    with pytest.raises(ConnectionError):
        async with network.client([], name="other", EstablishTunnelTimeoutSeconds=5) as client:
            network.storage.down = True
            await client.connected()


@pytest.mark.virtual_time
async def test_a_raid_ends_the_tunnel_and_another_server_takes_over(make_network: MakeNetwork) -> None:
    network = await make_network(2, rules=Residual(Raid(300.0), 3600.0))
    async with network.client() as client:
        await client.connected()
        first = client.told("ActiveTunnel")[-1]
        await client.controller.disconnected.wait()
        assert network.time == pytest.approx(300.0, abs=1.0)
        await client.connected()
        assert client.told("ActiveTunnel")[-1] != first  # where it was it finds nobody
        assert await client.fetch(network.origin.url()) == PAGE


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    "measure",
    [
        Lag(0.5),
        Rule(rate=30_000),
        Lag(0.2) & Rule(rate=50_000),
        Between(Rule(STALL, down=0), 0.0, 20.0),
        Chance(Rule(STALL, down=0), 0.5, seed=2),
        FirstBytes(lambda packet: packet.startswith(b"SSH-")),
    ],
    ids=["late", "slow", "late and slow", "for a time", "half of them", "another protocol"],
)
async def test_what_can_be_lived_with(measure: Measure, make_network: MakeNetwork) -> None:
    network = await make_network(2, rules=measure)
    async with network.client() as client:
        await client.connected()
        assert await client.fetch(network.origin.url("/bytes/50000")) == payload(50_000)


@pytest.mark.virtual_time
async def test_tunnels_that_may_not_last_are_made_again(make_network: MakeNetwork) -> None:
    network = await make_network(1, rules=TimeLimit(60.0), protocols=("OSSH", "SSH"))
    async with network.client() as client:
        for _ in range(5):
            await client.connected()
            assert await client.fetch(network.origin.url()) == PAGE
            await client.controller.disconnected.wait()
    assert 5 <= len([passage for passage in network.servers[0].connections if passage.struck.is_set()])
