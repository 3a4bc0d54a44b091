"""The watch over a tunnel, on virtual time: when it speaks up, when it stays quiet, when it gives up."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.memory_network import MemoryServer, Network, client_config, make_tunnel, settle

from headrace.base.errors import HandshakeTimeout, HeadraceError, NetworkError
from headrace.base.rng import SeededRng
from headrace.client import monitor
from headrace.client.api import Identity
from headrace.client.monitor import TunnelMonitor
from headrace.client.tunnel import REQUEST_TIMEOUT, Tunnel
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import choose

pytestmark = pytest.mark.virtual_time

KEEPALIVE, STATUS = "keepalive@openssh.com", "psiphon-status"
ENTRY = ServerEntry.from_fields(
    {
        "ipAddress": "192.0.2.1",
        "sshPort": 22,
        "sshHostKey": "a2V5",
        "capabilities": ["SSH"],
        "webServerSecret": "the secret",
    }
)


class ScriptedTunnel(Tunnel):
    """A tunnel that is up. `heard_at` is when the server was last heard; requests are answered at once.

    With an `error`, requests fail once their time is up.
    """

    def __init__(self) -> None:
        identity = Identity.from_config(client_config())
        super().__init__(
            choose(ENTRY, "SSH", SeededRng(1)),
            identity,
            SeededRng(1),
            lambda name, payload: None,
        )
        self.heard_at = 0.0
        self.requests: list[tuple[float, str, float, bytes]] = []  # time, name, timeout, payload
        self.error: HeadraceError | None = None
        self.reply: bytes | None = b""
        self.aborted_at: float | None = None
        self.transferred = (0, 0)

    @property
    def silent_for(self) -> float:
        return now() - self.heard_at

    @property
    def bytes_transferred(self) -> tuple[int, int]:
        return self.transferred

    async def request(self, name: bytes, payload: bytes, timeout: float = REQUEST_TIMEOUT) -> bytes | None:
        self.requests.append((now(), name.decode(), timeout, payload))
        if self.error is not None:
            await asyncio.sleep(timeout)
            raise self.error
        self.heard_at = now()
        return self.reply

    def abort(self) -> None:
        self.aborted_at = now()
        if not self.ended.done():
            self.ended.set_result(None)

    def times(self, name: str) -> list[float]:
        return [time for time, asked, _, _ in self.requests if asked == name]


def now() -> float:
    return asyncio.get_running_loop().time()


def start(
    tunnel: ScriptedTunnel, *, periodic: bool = True, seed: int = 1
) -> tuple[TunnelMonitor, asyncio.Task[None]]:
    watch = TunnelMonitor(tunnel, SeededRng(seed), periodic=periodic)
    return watch, asyncio.create_task(watch.run())


async def end(tunnel: ScriptedTunnel, task: asyncio.Task[None]) -> None:
    """The tunnel ends; so must everything that watches it."""
    if not tunnel.ended.done():
        tunnel.ended.set_result(None)
    await task
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_without_reports_only_keep_alives_are_sent() -> None:
    tunnel = ScriptedTunnel()
    tunnel.transferred = (1000, 2000)
    watch = TunnelMonitor(tunnel, SeededRng(1), reporting=False)
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(7200)
    assert {name for _, name, _, _ in tunnel.requests} == {KEEPALIVE}
    await end(tunnel, task)


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
    assert {timeout for _, name, timeout, _ in tunnel.requests if name == KEEPALIVE} == {30.0}
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
    tunnel.error = HandshakeTimeout("no answer")
    _, task = start(tunnel)
    await task
    (asked,) = tunnel.times(KEEPALIVE)
    assert tunnel.aborted_at == asked + 30
    assert 90 <= tunnel.aborted_at <= 150


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
    assert [(time, timeout) for time, name, timeout, _ in tunnel.requests if name == KEEPALIVE] == [(30, 5.0)]
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
    tunnel.error = HandshakeTimeout("no answer")
    watch, task = start(tunnel)
    await asyncio.sleep(30)
    watch.forward_failed()
    await task
    assert tunnel.aborted_at == 35


async def test_many_failures_at_once_are_one_probe() -> None:
    tunnel = ScriptedTunnel()
    tunnel.error = HandshakeTimeout("no answer")
    watch, task = start(tunnel)
    await asyncio.sleep(30)
    for _ in range(50):
        watch.forward_failed()
    await asyncio.sleep(1)
    assert len(tunnel.requests) == 1
    await task


async def test_a_probe_does_not_wait_for_a_periodic_keep_alive() -> None:
    tunnel = ScriptedTunnel()
    tunnel.error = HandshakeTimeout("no answer")
    watch, task = start(tunnel)
    await asyncio.sleep(100)
    (asked,) = tunnel.times(KEEPALIVE)
    assert asked + 30 > 110, "the keep-alive is to be under way: choose another seed"
    watch.forward_failed()
    await task
    assert tunnel.aborted_at == 105


# ---- status reports ---------------------------------------------------------------------------------------


async def test_status_reports_come_every_five_to_ten_minutes_and_say_what_is_new() -> None:
    tunnel = ScriptedTunnel()
    _, task = start(tunnel)
    total = 0
    await asyncio.sleep(0.5)  # so that nothing changes at the very moment of a report
    for minute in range(300):
        tunnel.transferred = (minute * 100, minute * 1000)
        await asyncio.sleep(60)
    reports = [(time, payload) for time, name, _, payload in tunnel.requests if name == STATUS]
    times = [time for time, _ in reports]
    gaps = [later - earlier for earlier, later in zip([0.0, *times], times, strict=False)]
    assert min(gaps) >= 300
    assert max(gaps) <= 600
    for time, payload in reports:
        said = json.loads(payload)
        total += said["statusData"]["host_bytes"]["(OTHER)"]
        assert total == int((time - 0.5) // 60) * 1100  # each byte is reported once
        assert said["server_secret"] == "the secret"
    await end(tunnel, task)


async def test_with_nothing_to_say_nothing_is_said() -> None:
    tunnel = ScriptedTunnel()
    _, task = start(tunnel)
    await asyncio.sleep(7200)
    assert tunnel.times(STATUS) == []
    await end(tunnel, task)


@pytest.mark.parametrize("error", [NetworkError("gone"), None], ids=["failed", "refused"])
async def test_what_was_not_taken_is_reported_again(error: HeadraceError | None) -> None:
    tunnel = ScriptedTunnel()
    watch = TunnelMonitor(tunnel, SeededRng(1))
    tunnel.transferred = (1, 2)
    tunnel.error, tunnel.reply = error, None
    await watch.report()
    tunnel.error, tunnel.reply = None, b"{}"
    tunnel.transferred = (10, 20)
    await watch.report()
    await watch.report()
    amounts = [json.loads(payload)["statusData"]["host_bytes"] for *_, payload in tunnel.requests]
    assert amounts == [{"(OTHER)": 3}, {"(OTHER)": 30}]
    assert tunnel.aborted_at is None


async def test_a_report_that_gets_no_answer_on_a_silent_tunnel_is_followed_by_a_probe() -> None:
    tunnel = ScriptedTunnel()
    tunnel.error = HandshakeTimeout("no answer")
    tunnel.transferred = (1, 2)
    _, task = start(tunnel, periodic=False)
    await task
    assert [name for _, name, _, _ in tunnel.requests] == [STATUS, KEEPALIVE]
    assert tunnel.aborted_at == tunnel.times(KEEPALIVE)[0] + 5


async def test_last_words_are_bounded() -> None:
    tunnel = ScriptedTunnel()
    tunnel.error = HandshakeTimeout("no answer")
    tunnel.transferred = (1, 2)
    await TunnelMonitor(tunnel, SeededRng(1)).report(1.0)
    assert now() == 1.0


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
    assert now() - died <= max(monitor.KEEPALIVE_PERIOD) + monitor.KEEPALIVE_TIMEOUT
