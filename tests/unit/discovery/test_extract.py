"""What each host is given of the network's discovery servers."""

import itertools

import pytest

from headrace.discovery.extract import HORIZON, extract, pool_of
from headrace.discovery.servers import DiscoveryServer

NOW = 1_800_000_000.0
HOUR = 3600


def server(number: int, starts: float = -1, ends: float = 1) -> DiscoveryServer:
    return DiscoveryServer(NOW + starts * HOUR, NOW + ends * HOUR, f"192.0.2.{number}", str(number))


def test_what_is_over_or_far_ahead_stays_at_home() -> None:
    over, now, soon, far = server(1, -2, 0), server(2), server(3, 48, 60), server(4, 48.01, 60)
    assert HORIZON == 48 * HOUR
    assert extract([over, now, soon, far], NOW) == [now, soon]
    assert extract([now, soon], NOW, horizon=HOUR) == [now]


def test_pools_share_the_servers_out_among_the_hosts() -> None:
    network = [server(number) for number in range(200)]
    given = {pool_of(host, 4): extract(network, NOW, host=host, pools=4) for host in map(str, range(50))}
    assert sorted(given) == [0, 1, 2, 3], "some pool has no host"
    assert sorted(itertools.chain(*given.values()), key=network.index) == network
    assert all(30 < len(share) < 70 for share in given.values())
    assert extract(network, NOW, host="any") == network, "one pool is all there is"


@pytest.mark.parametrize("pools", [1, 2, 5])
def test_another_pool_takes_its_share_and_moves_nothing_else(pools: int) -> None:
    names = [f"198.51.100.{number}" for number in range(250)]
    before = [pool_of(name, pools) for name in names]
    after = [pool_of(name, pools + 1) for name in names]
    assert all(new in (old, pools) for old, new in zip(before, after, strict=True))
    assert after.count(pools) == pytest.approx(250 / (pools + 1), rel=0.4)
