"""Saying that somebody is connected: when, how often, with what."""

import asyncio
import io

import pytest
from tests.memory_network import client_config
from tests.unit.client.scripted_tunnel import ScriptedTunnel, now

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import HandshakeTimeout, NetworkError
from headrace.base.rng import SeededRng
from headrace.client.api import Identity
from headrace.client.connected_reporter import ConnectedReporter
from headrace.client.notices import Notices
from headrace.codec.packed_parameters import unpack
from headrace.store.client.store import ClientStore

pytestmark = pytest.mark.virtual_time

DAY = 86_400
STAMP = "2024-06-01T12:00:00Z"
REPLY = b'{"connected_timestamp": "%s"}' % STAMP.encode()


def reporter(store: ClientStore | None = None) -> ConnectedReporter:
    identity = Identity.from_config(client_config())
    return ConnectedReporter(identity, SeededRng(1), Notices(io.StringIO(), SYSTEM_CLOCK), store)


def said(tunnel: ScriptedTunnel) -> list[tuple[object, object]]:
    """Return the parameters that matter of each request."""
    requests = [unpack(payload) for _, name, _, payload in tunnel.requests if name == "psiphon-connected"]
    return [(request["last_connected"], request["establishment_duration"]) for request in requests]


async def test_at_once_and_then_daily() -> None:
    tunnel, failures = ScriptedTunnel(), list[float]()
    tunnel.reply = REPLY
    task = asyncio.create_task(reporter().run(tunnel, 1.25, lambda: failures.append(now())))
    await asyncio.sleep(2.5 * DAY)
    assert tunnel.times("psiphon-connected") == [0, DAY, 2 * DAY]
    assert said(tunnel) == [("None", "1250"), (STAMP, "1250"), (STAMP, "1250")]
    assert failures == []
    tunnel.ended.set_result(None)
    await task
    assert now() == 2.5 * DAY


@pytest.mark.parametrize("refused", [True, False])
async def test_what_was_not_taken_is_said_again_after_five_seconds(refused: bool) -> None:
    tunnel, failures = ScriptedTunnel(), list[float]()
    tunnel.reply, tunnel.error = None, None if refused else HandshakeTimeout("no answer")
    task = asyncio.create_task(reporter().run(tunnel, 1, lambda: failures.append(now())))
    await asyncio.sleep(12)
    tunnel.reply, tunnel.error = REPLY, None
    await asyncio.sleep(DAY)
    assert tunnel.times("psiphon-connected") == [0, 5, 10, 15]
    assert failures == ([] if refused else [0, 5, 10])
    task.cancel()


async def test_a_tunnel_that_is_gone_is_no_failure() -> None:
    tunnel, failures = ScriptedTunnel(), list[float]()
    tunnel.error = NetworkError("gone")
    tunnel.ended.set_result(None)
    await reporter().run(tunnel, 1, lambda: failures.append(now()))
    assert (tunnel.requests, failures) == ([], [])


async def test_the_hour_is_kept_from_one_tunnel_and_one_run_to_the_next(store: ClientStore) -> None:
    first = reporter(store)
    for expected in ("None", STAMP):
        tunnel = ScriptedTunnel()
        tunnel.reply = REPLY
        task = asyncio.create_task(first.run(tunnel, 1))
        await asyncio.sleep(1)
        tunnel.ended.set_result(None)
        await task
        assert said(tunnel)[0][0] == expected
    assert reporter(store).last_connected == STAMP


async def test_a_reply_that_says_nothing_changes_nothing(store: ClientStore) -> None:
    store.values.set("lastConnected", STAMP)
    reports, tunnel = reporter(store), ScriptedTunnel()
    tunnel.reply = b'{"connected_timestamp": 5}'
    task = asyncio.create_task(reports.run(tunnel, 1))
    await asyncio.sleep(1)
    assert reports.last_connected == store.values.get("lastConnected") == STAMP
    task.cancel()


async def test_who_leaves_can_wait_for_the_answer() -> None:
    tunnel, reports = ScriptedTunnel(), reporter()
    await reports.settled()
    tunnel.silent, tunnel.reply = True, REPLY
    task = asyncio.create_task(reports.run(tunnel, 1))
    await asyncio.sleep(0.5)
    asyncio.get_running_loop().call_later(0.25, tunnel.answer_all)
    await reports.settled()
    assert now() == 0.75
    assert reports.last_connected == STAMP
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_nobody_waits_for_a_request_that_was_called_off() -> None:
    tunnel, reports = ScriptedTunnel(), reporter()
    tunnel.silent = True
    task = asyncio.create_task(reports.run(tunnel, 1))
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await reports.settled()
