"""The strategies as a network sees them: evenly spread, stable where they promise it, and no fountain."""

import ipaddress
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from headrace.base.errors import DocumentError
from headrace.discovery.classic import Classic
from headrace.discovery.consistent import Consistent, owners
from headrace.discovery.exposure import learned
from headrace.discovery.keyed import Keyed
from headrace.discovery.servers import DiscoveryServer
from headrace.discovery.strategy import Address, Strategy, make_strategy

KEY = "c2VjcmV0IG9mIHRoZSBuZXR3b3Jr"
DAY = 86_400
NOW = 1_800_000_000.0


def servers(count: int) -> list[DiscoveryServer]:
    return [
        DiscoveryServer(0, 2e10, f"192.0.{number // 250}.{number % 250}", f"entry {number}")
        for number in range(count)
    ]


def clients(count: int, seed: int = 1) -> list[Address]:
    draw = random.Random(seed)
    v4 = [ipaddress.IPv4Address(draw.getrandbits(32)) for _ in range(count // 2)]
    v6 = [ipaddress.IPv6Address(0x2 << 124 | draw.getrandbits(124)) for _ in range(count - count // 2)]
    return [*v4, *v6]


def shares(strategy: Strategy, among: Sequence[DiscoveryServer], asking: Sequence[Address]) -> Counter[str]:
    choose = strategy.arrange(among)
    return Counter(server.address for client in asking if (server := choose(client, NOW)))


@pytest.mark.parametrize("strategy", [Consistent(), Keyed(KEY)], ids=["consistent", "keyed"])
def test_clients_are_spread_evenly(strategy: Strategy) -> None:
    among = servers(10)
    told = shares(strategy, among, clients(100_000))
    assert set(told) == {server.address for server in among}
    for share in told.values():
        assert abs(share - 10_000) <= 300  # 3 %


def test_classic_gives_each_bucket_as_many_clients_and_each_of_its_servers_as_many_hours() -> None:
    """So it is as even as its buckets, here four of four, and at one moment a client sees one in four."""
    among, asking = servers(16), clients(100_000)
    choose = Classic(KEY).arrange(among)
    told: Counter[str] = Counter()
    for hour in range(4):
        now = Counter(server.address for client in asking if (server := choose(client, NOW + 3600 * hour)))
        assert len(now) == 4
        told.update(now)
    assert set(told) == {server.address for server in among}
    for share in told.values():
        assert abs(share - 25_000) <= 750  # 3 %


def test_keyed_moves_nobody_but_the_clients_of_a_server_that_goes() -> None:
    among, asking = servers(20), clients(5_000)
    before, after = Keyed(KEY).arrange(among), Keyed(KEY).arrange(among[:7] + among[8:])
    moved = [client for client in asking if before(client, NOW) != after(client, NOW)]
    assert moved == [client for client in asking if before(client, NOW) == among[7]]
    assert len(moved) == pytest.approx(5_000 / 20, rel=0.25)


def test_keyed_looks_at_networks_and_not_at_the_time() -> None:
    choose = Keyed(KEY).arrange(servers(50))
    for network in ("198.51.100.0/24", "2001:db8:7::/48"):
        hosts = [ipaddress.ip_network(network)[number * 5] for number in range(50)]
        assert len({choose(host, NOW + number * DAY) for number, host in enumerate(hosts)}) == 1
    other = Keyed(KEY + "!").arrange(servers(50))
    differing = [client for client in clients(100) if choose(client, NOW) != other(client, NOW)]
    assert len(differing) > 90, "the secret is of no account"


def test_classic_shows_an_address_one_bucket_in_a_hundred_days() -> None:
    among = servers(100)
    for client in clients(20):
        assert len(learned(Classic(KEY), among, [client], NOW, 24 * 100)) == 10


def test_what_somebody_with_a_network_of_their_own_learns() -> None:
    """Classic and consistent tell one /24 of most servers; keyed tells it of one."""
    among = servers(100)
    network = list(ipaddress.IPv4Network("203.0.113.0/24"))
    found = {
        name: len(learned(make_strategy(name, KEY), among, network, NOW, 24))
        for name in ("classic", "consistent", "keyed")
    }
    assert found["classic"] == 100
    assert found["consistent"] > 80
    assert found["keyed"] == 1


def test_nothing_is_learned_where_nothing_is_open() -> None:
    among = [DiscoveryServer(NOW + 7200, NOW + 10_800, "192.0.2.1", "")]
    assert learned(Keyed(KEY), among, clients(2), NOW, 2) == set()
    assert learned(Keyed(KEY), among, clients(2), NOW, 9) == {"192.0.2.1"}


def test_each_member_of_the_ring_owns_one_part() -> None:
    for count in (0, 1, 2, 17, 1000):
        assert sorted(owners([f"10.0.{n // 256}.{n % 256}" for n in range(count)])) == list(range(count))


def test_strategies_by_name() -> None:
    assert make_strategy("", KEY) == Consistent()
    assert make_strategy("keyed", KEY) == Keyed(KEY)
    assert make_strategy("classic", KEY) == Classic(KEY)
    with pytest.raises(DocumentError, match="best is no way of discovery: write one of classic, consistent"):
        make_strategy("best", KEY)


def test_keyed_wants_a_secret() -> None:
    with pytest.raises(DocumentError, match="keyed needs the network's secret: write it as Discovery"):
        make_strategy("keyed", "")


def test_the_secret_is_not_shown() -> None:
    for name in ("classic", "keyed"):
        strategy = make_strategy(name, KEY)
        assert KEY not in repr((strategy, strategy.arrange(servers(3))))
