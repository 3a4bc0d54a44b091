"""Properties of discovery, whatever the servers and their times, the clients, and the secret."""

import ipaddress
import math
from collections.abc import Sequence

from hypothesis import assume, given
from hypothesis import strategies as st

from headrace.discovery.candidates import Candidates
from headrace.discovery.extract import extract
from headrace.discovery.keyed import PREFIXES
from headrace.discovery.servers import DiscoveryServer
from headrace.discovery.strategy import STRATEGIES, Address, make_strategy

TIMES = st.integers(0, 60).map(float)
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=64)
NAMES = st.sampled_from(sorted(STRATEGIES))
ADDRESSES: st.SearchStrategy[Address] = st.ip_addresses().filter(lambda address: not mapped(address))


def mapped(address: Address) -> bool:
    return address.version == 6 and address.ipv4_mapped is not None


@st.composite
def networks(draw: st.DrawFn, least: int = 0) -> list[DiscoveryServer]:
    """Servers with times of all kinds, those that end before they begin among them."""
    addresses = draw(st.lists(st.ip_addresses().map(str), unique=True, min_size=least, max_size=30))
    return [DiscoveryServer(draw(TIMES), draw(TIMES), address, f"of {address}") for address in addresses]


@given(networks(), TIMES, TIMES)
def test_candidates_stay_the_same_as_long_as_they_say(
    servers: Sequence[DiscoveryServer], now: float, later: float
) -> None:
    candidates = Candidates(servers, now)
    assume(candidates.valid_at(later))
    assert Candidates(servers, later).servers == candidates.servers
    assert all(server.open_at(later) for server in candidates.servers)


@given(NAMES, KEYS, networks(least=1), ADDRESSES, TIMES)
def test_everybody_is_told_of_a_candidate_and_always_of_the_same(
    name: str, key: str, servers: Sequence[DiscoveryServer], client: Address, now: float
) -> None:
    choices = {make_strategy(name, key).arrange(servers)(client, now) for _ in range(2)}
    assert len(choices) == 1
    assert choices <= set(servers)


@given(NAMES, KEYS, networks(least=1), ADDRESSES)
def test_somebody_who_stays_sees_one_bucket_at_most(
    name: str, key: str, servers: Sequence[DiscoveryServer], client: Address
) -> None:
    choose = make_strategy(name, key).arrange(servers)
    seen = {choose(client, 3600.0 * hour) for hour in range(50)}
    assert len(seen) <= (math.ceil(math.sqrt(len(servers))) if name == "classic" else 1)


@given(KEYS, networks(least=2), ADDRESSES, st.data())
def test_keyed_choices_outlive_whoever_else_goes(
    key: str, servers: Sequence[DiscoveryServer], client: Address, data: st.DataObject
) -> None:
    chosen = make_strategy("keyed", key).arrange(servers)(client, 0)
    left = data.draw(st.sets(st.sampled_from(servers)).map(list), "who is left, in any order")
    assume(chosen in left)
    assert make_strategy("keyed", key).arrange(left)(client, 0) == chosen


@given(KEYS, networks(least=1), ADDRESSES, st.data())
def test_keyed_takes_a_network_for_one_client(
    key: str, servers: Sequence[DiscoveryServer], client: Address, data: st.DataObject
) -> None:
    network = ipaddress.ip_network((client, 8 * PREFIXES[client.version]), strict=False)
    neighbour = network[data.draw(st.integers(0, network.num_addresses - 1))]
    choose = make_strategy("keyed", key).arrange(servers)
    assert choose(neighbour, 0) == choose(client, 0)


@given(networks(), TIMES, st.integers(1, 5), st.integers(0, 20).map(float))
def test_hosts_of_all_pools_together_are_given_what_one_would_be(
    servers: Sequence[DiscoveryServer], now: float, pools: int, horizon: float
) -> None:
    all_of_it = extract(servers, now, horizon=horizon)
    shares = [extract(servers, now, host=str(host), pools=pools, horizon=horizon) for host in range(80)]
    assert set().union(*shares) <= set(all_of_it)
    for server in all_of_it:
        sharing = [share for share in shares if server in share]
        assert all(share == sharing[0] for share in sharing), "a server of two pools"
