"""The watch over a tunnel, on virtual time: when it speaks up, when it stays quiet, when it gives up."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.memory_network import MemoryServer, Network, make_tunnel, settle
from tests.unit.client.scripted_tunnel import ScriptedTunnel, now

from headrace.base.errors import HandshakeTimeout, NetworkError
from headrace.base.rng import SeededRng
from headrace.client.monitor import End, Reason, TunnelMonitor
from headrace.client.operate_settings import OperateSettings

pytestmark = pytest.mark.virtual_time

KEEPALIVE = "keepalive@openssh.com"


def start(
    tunnel: ScriptedTunnel,
    *,
    seed: int = 1,
    multiplier: float = 1.0,
    online: Callable[[], bool] = lambda: True,
    **settings: object,
) -> tuple[TunnelMonitor, asyncio.Task[End]]:
    made = OperateSettings(**settings)  # type: ignore[arg-type]
    watch = TunnelMonitor(tunnel, SeededRng(seed), made, multiplier=multiplier, online=online)
    return watch, asyncio.create_task(watch.run())


async def end(tunnel: ScriptedTunnel, task: asyncio.Task[End]) -> None:
    """The tunnel ends; so must everything that watches it."""
    assert not task.done()
    if not tunnel.ended.done():
        tunnel.ended.set_result(None)
    assert (await task).reason is Reason.LOST
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_loss_of_a_tunnel_is_told_with_its_reason() -> None:
    tunnel = ScriptedTunnel()
    _, task = start(tunnel)
    await asyncio.sleep(7)
    tunnel.ended.set_result(NetworkError("the server closed the connection"))
    ended = await task
    assert now() == 7
    assert (ended.reason, ended.counts, ended.forget) == (Reason.LOST, False, False)
    assert str(ended) == "the connection was lost: the server closed the connection"


async def test_a_mistake_in_what_listens_is_not_hidden() -> None:
    tunnel = ScriptedTunnel()
    tunnel.transferred = (1, 1)
    watch = TunnelMonitor(tunnel, SeededRng(1), moved=lambda sent, received: [][0])
    with pytest.raises(IndexError):
        await watch.run()


# ---- keep-alives ------------------------------------------------------------------------------------------


async def test_a_silent_tunnel_is_kept_alive_every_minute_or_two() -> None:
    tunnel = ScriptedTunnel()
    _, task = start(tunnel)
    await asyncio.sleep(7200)
    times = tunnel.times(KEEPALIVE)
    gaps = [later - earlier for earlier, later in zip([0.0, *times], times, strict=False)]
    assert 7200 / 120 - 1 <= len(times) <= 7200 / 60
    assert min(gaps) >= 60
    assert max(gaps) <= 120
    assert len(set(gaps)) > 20  # drawn anew each time
    await end(tunnel, task)


async def test_keep_alives_differ_in_size_and_content() -> None:
    tunnel = ScriptedTunnel()
    _, task = start(tunnel)
    await asyncio.sleep(7200)
    payloads = [payload for _, name, _, payload in tunnel.requests if name == KEEPALIVE]
    sizes = {len(payload) for payload in payloads}
    assert max(sizes) <= 256
    assert len(sizes) > 20
    assert len({payload[:8] for payload in payloads if len(payload) >= 8}) > 20
    await end(tunnel, task)


async def test_a_tunnel_that_was_heard_lately_is_left_alone() -> None:
    tunnel = ScriptedTunnel()
    _, task = start(tunnel)
    for _ in range(1200):
        await asyncio.sleep(9)  # less than the ten seconds that count as silence
        tunnel.heard_at = now()
    assert tunnel.times(KEEPALIVE) == []
    await end(tunnel, task)


async def test_what_we_send_is_no_sign_of_life() -> None:
    tunnel = ScriptedTunnel()
    _, task = start(tunnel)
    for second in range(200):
        tunnel.transferred = (second * 1000, 0)
        await asyncio.sleep(1)
    assert tunnel.times(KEEPALIVE)
    await end(tunnel, task)


async def test_an_unanswered_keep_alive_ends_the_tunnel() -> None:
    tunnel = ScriptedTunnel()
    tunnel.silent = True
    _, task = start(tunnel)
    await task
    (asked,) = tunnel.times(KEEPALIVE)
    assert tunnel.aborted_at == asked + 30
    assert 90 <= tunnel.aborted_at <= 150
    assert task.result() == End(Reason.KEEPALIVE_FAILED, counts=True)


async def test_a_refused_keep_alive_is_an_answer() -> None:
    tunnel = ScriptedTunnel()
    tunnel.reply = None
    _, task = start(tunnel)
    await asyncio.sleep(1000)
    assert tunnel.aborted_at is None
    await end(tunnel, task)


async def test_periodic_keep_alives_can_be_turned_off_but_not_the_probe() -> None:
    tunnel = ScriptedTunnel()
    watch, task = start(tunnel, periodic=False)
    await asyncio.sleep(7200)
    assert tunnel.times(KEEPALIVE) == []
    watch.forward_failed()
    await settle()
    assert len(tunnel.times(KEEPALIVE)) == 1
    await end(tunnel, task)


# ---- probes -----------------------------------------------------------------------------------------------


async def test_a_failed_forward_on_a_silent_tunnel_is_followed_by_a_probe_at_once() -> None:
    tunnel = ScriptedTunnel()
    watch, task = start(tunnel)
    await asyncio.sleep(30)
    watch.forward_failed()
    await settle()
    assert tunnel.times(KEEPALIVE) == [30]
    assert tunnel.aborted_at is None
    await end(tunnel, task)


async def test_a_failed_forward_on_a_tunnel_just_heard_proves_nothing() -> None:
    """A name that does not exist looks the same: it must not cost a request each time."""
    tunnel = ScriptedTunnel()
    watch, task = start(tunnel)
    await asyncio.sleep(30)
    tunnel.heard_at = now() - 9.9
    for _ in range(100):
        watch.forward_failed()
        await settle()
    assert tunnel.requests == []
    await end(tunnel, task)


async def test_an_unanswered_probe_ends_the_tunnel_in_five_seconds() -> None:
    tunnel = ScriptedTunnel()
    tunnel.silent = True
    watch, task = start(tunnel)
    await asyncio.sleep(30)
    watch.forward_failed()
    await task
    assert tunnel.aborted_at == 35


async def test_many_failures_at_once_are_one_probe() -> None:
    tunnel = ScriptedTunnel()
    tunnel.silent = True
    watch, task = start(tunnel)
    await asyncio.sleep(30)
    for _ in range(50):
        watch.forward_failed()
    await asyncio.sleep(1)
    assert len(tunnel.requests) == 1
    await task


async def test_a_probe_does_not_wait_for_a_periodic_keep_alive() -> None:
    tunnel = ScriptedTunnel()
    tunnel.silent = True
    watch, task = start(tunnel)
    for _ in range(120):
        await asyncio.sleep(0 if tunnel.requests else 1)
    begun = now()
    watch.forward_failed()
    await task
    assert tunnel.aborted_at == begun + 5


async def test_a_probe_puts_off_the_next_keep_alive() -> None:
    tunnel = ScriptedTunnel()
    watch, task = start(tunnel)
    await asyncio.sleep(50)
    watch.forward_failed()
    await asyncio.sleep(59)
    assert tunnel.times(KEEPALIVE) == [50]
    await asyncio.sleep(61)
    assert len(tunnel.times(KEEPALIVE)) == 2
    assert tunnel.times(KEEPALIVE)[1] >= 110
    await end(tunnel, task)


async def test_a_request_that_breaks_ends_the_tunnel_at_once() -> None:
    tunnel = ScriptedTunnel()
    tunnel.error = HandshakeTimeout("broken")
    watch, task = start(tunnel)
    await asyncio.sleep(30)
    watch.forward_failed()
    assert (await task).reason is Reason.KEEPALIVE_FAILED
    assert now() == 30


async def test_timeouts_are_scaled_and_periods_are_not() -> None:
    tunnel = ScriptedTunnel()
    tunnel.silent = True
    watch, task = start(tunnel, multiplier=3.0)
    await asyncio.sleep(30)
    watch.forward_failed()
    await task
    assert tunnel.aborted_at == 45
    other = ScriptedTunnel()
    other.silent, begun = True, now()
    _, task = start(other, multiplier=3.0)
    await task
    (asked,) = other.times(KEEPALIVE)
    assert 60 <= asked - begun <= 120
    assert now() == asked + 90


async def test_some_tunnels_that_die_cost_their_server_what_worked() -> None:
    forgotten = []
    for seed in range(40):
        tunnel = ScriptedTunnel()
        tunnel.silent = True
        _, task = start(tunnel, seed=seed, reset_probability=0.5)
        forgotten.append((await task).forget)
    assert 10 < sum(forgotten) < 30


# ---- without a network ------------------------------------------------------------------------------------


async def test_waiting_without_a_network_counts_for_nothing() -> None:
    tunnel = ScriptedTunnel()
    tunnel.silent = True
    there = True
    watch, task = start(tunnel, online=lambda: there, periodic=False)
    await asyncio.sleep(30)
    watch.forward_failed()
    await asyncio.sleep(2)
    there = False
    await asyncio.sleep(3600)
    assert not task.done()
    there = True
    await task
    assert now() == pytest.approx(30 + 5 + 3600, abs=0.6)
    assert task.result() == End(Reason.KEEPALIVE_FAILED, counts=False)  # it may have been our own network


async def test_an_answer_after_the_network_came_back_saves_the_tunnel() -> None:
    tunnel = ScriptedTunnel()
    tunnel.silent = True
    there = False
    watch, task = start(tunnel, online=lambda: there, periodic=False)
    await asyncio.sleep(30)
    watch.forward_failed()
    await asyncio.sleep(3600)
    there = True
    await asyncio.sleep(1)
    tunnel.answer_all()
    await asyncio.sleep(60)
    await end(tunnel, task)


# ---- after sleep, and on another network ------------------------------------------------------------------


async def test_after_a_long_sleep_the_tunnel_is_given_up_at_once() -> None:
    tunnel = ScriptedTunnel()
    watch, task = start(tunnel)
    await asyncio.sleep(30)
    watch.resumed(91.0)  # and 30 seconds before it
    assert (await task).reason is Reason.RESUMED_TOO_LATE
    assert now() == 30
    assert tunnel.aborted_at == 30
    assert tunnel.requests == []


async def test_after_a_short_sleep_the_server_has_two_and_a_half_seconds() -> None:
    tunnel = ScriptedTunnel()
    tunnel.silent = True
    watch, task = start(tunnel)
    await asyncio.sleep(5)
    watch.resumed(60.0)
    await task
    assert tunnel.times(KEEPALIVE) == [5]
    assert now() == 7.5


async def test_a_server_heard_just_now_is_not_asked_after_a_nap() -> None:
    tunnel = ScriptedTunnel()
    watch, task = start(tunnel)
    await asyncio.sleep(5)
    tunnel.heard_at = now()
    watch.resumed(0.9)
    await asyncio.sleep(1)
    assert tunnel.requests == []
    await end(tunnel, task)


async def test_two_sleeps_in_silence_add_up_and_a_sign_of_life_between_them_counts() -> None:
    tunnel = ScriptedTunnel()
    tunnel.silent = True
    watch, task = start(tunnel, resume_timeout=100.0)
    await asyncio.sleep(1)
    watch.resumed(60.0)
    await asyncio.sleep(1)
    watch.resumed(60.0)
    assert (await task).reason is Reason.RESUMED_TOO_LATE

    tunnel = ScriptedTunnel()
    tunnel.heard_at = now()
    watch, task = start(tunnel)
    await asyncio.sleep(1)
    watch.resumed(60.0)
    await asyncio.sleep(0.1)
    tunnel.heard_at = now()
    await asyncio.sleep(1)
    watch.resumed(60.0)
    await asyncio.sleep(1)
    await end(tunnel, task)


async def test_on_another_network_the_tunnel_is_given_up_at_once() -> None:
    tunnel = ScriptedTunnel()
    watch, task = start(tunnel)
    await asyncio.sleep(5)
    watch.network_changed()
    ended = await task
    assert (ended.reason, ended.counts) == (Reason.NETWORK_CHANGED, False)
    assert tunnel.aborted_at == 5
    watch.resumed(1000.0)  # nobody listens any more
    watch.network_changed()
    watch.forward_failed()


# ---- counting ---------------------------------------------------------------------------------------------


async def test_what_passes_is_told_each_second_and_altogether_now_and_then() -> None:
    tunnel = ScriptedTunnel()
    moved: list[tuple[float, int, int]] = []
    totals: list[tuple[float, int, int]] = []
    watch = TunnelMonitor(
        tunnel,
        SeededRng(1),
        moved=lambda sent, received: moved.append((now(), sent, received)),
        totals=lambda sent, received: totals.append((now(), sent, received)),
    )
    task = asyncio.create_task(watch.run())
    tunnel.transferred = (10, 20)
    await asyncio.sleep(4.5)
    tunnel.transferred = (10, 25)
    await asyncio.sleep(300)
    tunnel.transferred = (11, 25)
    tunnel.ended.set_result(None)
    await task
    assert moved == [(1, 10, 20), (5, 0, 5), (304.5, 1, 0)]
    assert totals == [(300, 10, 25), (304.5, 11, 25)]


async def test_what_passed_is_counted_when_the_watch_is_called_off() -> None:
    tunnel = ScriptedTunnel()
    moved: list[int] = []
    watch = TunnelMonitor(tunnel, SeededRng(1), moved=lambda sent, received: moved.append(sent + received))
    task = asyncio.create_task(watch.run())
    await settle()
    tunnel.transferred = (1, 2)
    watch.look()
    watch.look()
    tunnel.transferred = (1, 6)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert moved == [3, 4]
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 1),
        ({"proven_after": 7.0}, 7),
        ({"proven_sent": 50}, 5),
        ({"proven_received": 800}, 8),
        ({"proven_sent": 50, "proven_received": 10_000}, None),
    ],
)
async def test_a_tunnel_proves_itself_once(settings: dict[str, float], expected: float | None) -> None:
    tunnel = ScriptedTunnel()
    proven: list[float] = []
    made = OperateSettings(**settings)  # type: ignore[arg-type]
    watch = TunnelMonitor(tunnel, SeededRng(1), made, proven=lambda: proven.append(now()))
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(0.5)  # so that nothing changes at the very moment of a look
    for second in range(1, 20):
        tunnel.transferred = (second * 10, second * 100)
        await asyncio.sleep(1)
    assert proven == ([] if expected is None else [expected])
    await end(tunnel, task)


# ---- with a real tunnel -----------------------------------------------------------------------------------


async def test_a_path_that_dies_silently_is_found_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    network = Network.install(monkeypatch)
    server = MemoryServer(network, tmp_path)
    tunnel = make_tunnel(server.entry)
    await tunnel.connect()
    await tunnel.handshake()
    watch = TunnelMonitor(tunnel, SeededRng(1))
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(600)
    assert not tunnel.ended.done()  # the server answers, so the tunnel lives
    for wire in network.wires:
        wire.stuck = True
    died = now()
    await task
    assert tunnel.ended.done()
    assert now() - died <= 120 + 30
