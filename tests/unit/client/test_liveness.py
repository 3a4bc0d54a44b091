"""The liveness test over a real tunnel in memory."""

import asyncio
from pathlib import Path

import pytest
from tests.memory_network import MemoryServer, Network, make_tunnel, settle

from headrace.base.errors import NetworkError
from headrace.base.rng import SeededRng
from headrace.client.liveness import LivenessFailed, run_liveness
from headrace.client.tunnel import Tunnel
from headrace.ssh.liveness import LivenessRequest

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
async def tunnel(network: Network, tmp_path: Path) -> Tunnel:
    tunnel = make_tunnel(MemoryServer(network, tmp_path).entry)
    await tunnel.connect()
    return tunnel


@pytest.mark.parametrize(("up", "down"), [(1, 0), (0, 1), (100_000, 300_000), (3_000_000, 1)])
async def test_all_that_was_asked_for_goes_through(tunnel: Tunnel, up: int, down: int) -> None:
    result = await run_liveness(tunnel, LivenessRequest(up, down), SeededRng(1))
    assert (result.sent, result.received) == (up, down)
    assert 0 <= result.duration < 1
    assert not tunnel.ended.done()
    sent, received = tunnel.bytes_transferred
    assert sent > up
    assert received > down
    await tunnel.handshake()  # the tunnel is as good as before
    tunnel.close()
    await settle()


async def test_a_frozen_path_hangs_until_the_caller_has_had_enough(tunnel: Tunnel, network: Network) -> None:
    for wire in network.wires:
        wire.stuck = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(20):
            await run_liveness(tunnel, LivenessRequest(1000, 1000), SeededRng(1))
    tunnel.abort()
    await settle()


async def test_a_path_that_breaks_says_how_far_it_came(tunnel: Tunnel, network: Network) -> None:
    test = asyncio.create_task(run_liveness(tunnel, LivenessRequest(1000, 10_000_000), SeededRng(1)))
    for _ in range(10_000):
        await asyncio.sleep(0)
        if tunnel.bytes_transferred[1] >= 200_000:
            break
    tunnel.abort()
    with pytest.raises(LivenessFailed) as failure:
        await test
    assert failure.value.result.sent == 1000
    assert 100_000 < failure.value.result.received < 10_000_000


async def test_what_the_server_refuses_has_failed(tunnel: Tunnel) -> None:
    await run_liveness(tunnel, LivenessRequest(1, 1), SeededRng(1))
    with pytest.raises(LivenessFailed):  # one is enough before the handshake
        await run_liveness(tunnel, LivenessRequest(1, 1), SeededRng(1))
    tunnel.abort()
    await settle()


async def test_a_tunnel_that_is_gone_takes_no_test(tunnel: Tunnel) -> None:
    tunnel.abort()
    await settle()
    with pytest.raises(NetworkError):
        await run_liveness(tunnel, LivenessRequest(1, 1), SeededRng(1))
