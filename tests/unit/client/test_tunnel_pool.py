"""The pool of tunnels: turns are fair, whoever comes and goes."""

from collections import Counter

import pytest
from tests.unit.client.scripted_tunnel import ScriptedTunnel

from headrace.base.errors import NetworkError
from headrace.client.tunnel_pool import TunnelPool

pytestmark = pytest.mark.virtual_time


async def test_turns_are_fair_whoever_comes_and_goes() -> None:
    pool = TunnelPool()
    first, second, third = tunnels = [ScriptedTunnel() for _ in range(3)]
    for tunnel in tunnels:
        pool.add(tunnel)
    assert list(pool) == tunnels
    assert Counter(pool.next() for _ in range(9)) == {first: 3, second: 3, third: 3}
    pool.remove(second)
    assert Counter(pool.next() for _ in range(8)) == {first: 4, third: 4}
    pool.add(second)
    assert {pool.next() for _ in range(3)} == set(tunnels)


async def test_an_empty_pool_has_nobody_to_offer() -> None:
    pool = TunnelPool()
    only = ScriptedTunnel()
    pool.add(only)
    assert pool.next() is pool.next() is only
    assert pool.addresses == {"192.0.2.1"}
    for tunnel in pool:  # may be emptied meanwhile
        pool.remove(tunnel)
    assert not pool
    assert pool.addresses == set()
    with pytest.raises(NetworkError, match="no active tunnels"):
        pool.next()
