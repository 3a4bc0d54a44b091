"""Reports to servers, on virtual time: when they come, what they say, that each thing is said once."""

import asyncio
import io
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.memory_network import MemoryServer, Network, client_config, make_tunnel, settle
from tests.store_contents import SetClock
from tests.unit.client.scripted_tunnel import ScriptedTunnel, now

from headrace.base.errors import HeadraceError, NetworkError
from headrace.base.rng import SeededRng
from headrace.client.api import Identity
from headrace.client.downloads import STATISTICS as DOWNLOADS
from headrace.client.failed_tunnels import STATISTICS as FAILED_TUNNELS
from headrace.client.failed_tunnels import FailedTunnels
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.status_reporter import MAX_STATISTICS, StatusReporter
from headrace.documents.entry_fields import entry_tag
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import choose
from headrace.store.client.store import ClientStore
from headrace.testing.entries import make_entries

pytestmark = pytest.mark.virtual_time

STATUS = "psiphon-status"
DAY = 86_400


class Client:
    """A run of a client: what it tells is kept."""

    def __init__(
        self, store: ClientStore | None = None, clock: SetClock | None = None, seed: int = 1
    ) -> None:
        self.stream = io.StringIO()
        clock = clock or SetClock()
        notices = Notices(self.stream, clock, NoticeOptions(diagnostics=True))
        identity = Identity.from_config(client_config())
        self.reports = StatusReporter(identity, SeededRng(seed), notices, clock, store)
        self.failures = 0

    def failed(self) -> None:
        self.failures += 1

    def start(self, tunnel: ScriptedTunnel) -> asyncio.Task[None]:
        return asyncio.create_task(self.reports.run(tunnel, self.failed))


def said(tunnel: ScriptedTunnel) -> list[dict[str, Any]]:
    """Return the status data of each report."""
    return [json.loads(payload)["statusData"] for _, name, _, payload in tunnel.requests if name == STATUS]


def amounts(tunnel: ScriptedTunnel) -> list[int]:
    return [data["host_bytes"].get("(OTHER)", 0) for data in said(tunnel)]


def remember(store: ClientStore, count: int = 30) -> list[str]:
    """Fill the store with servers that are years old; return their tags."""
    tags = []
    for fields in make_entries(count):
        local = {"localSource": "REMOTE", "localTimestamp": "2020-01-01T00:00:00Z"}
        store.entries.store(fields | local, replace=True)
        tags.append(entry_tag(fields))
    return tags


async def end(tunnel: ScriptedTunnel, task: asyncio.Task[None]) -> None:
    tunnel.ended.set_result(None)
    await task
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_reports_come_every_five_to_ten_minutes_and_say_what_is_new() -> None:
    client, tunnel = Client(), ScriptedTunnel()
    task = client.start(tunnel)
    await asyncio.sleep(0.5)  # so that nothing changes at the very moment of a report
    for _ in range(300):
        client.reports.moved(100, 1000)
        await asyncio.sleep(60)
    times = tunnel.times(STATUS)
    gaps = [later - earlier for earlier, later in zip([0.0, *times], times, strict=False)]
    assert min(gaps) >= 300
    assert max(gaps) <= 600
    assert len(set(gaps)) == len(gaps)
    total = 0
    for time, amount in zip(times, amounts(tunnel), strict=True):
        total += amount
        assert total == (int((time - 0.5) // 60) + 1) * 1100  # each byte is reported once
    assert json.loads(tunnel.requests[0][3])["server_secret"] == "the secret"
    await end(tunnel, task)


async def test_with_nothing_to_say_nothing_is_said(store: ClientStore, clock: SetClock) -> None:
    client, tunnel = Client(store, clock), ScriptedTunnel()
    task = client.start(tunnel)
    await asyncio.sleep(7200)
    assert tunnel.times(STATUS) == []
    await end(tunnel, task)


@pytest.mark.parametrize("error", [NetworkError("gone"), None], ids=["failed", "refused"])
async def test_what_was_not_taken_is_reported_again(
    store: ClientStore, clock: SetClock, error: HeadraceError | None
) -> None:
    client, tunnel = Client(store, clock), ScriptedTunnel()
    store.statistics.add(DOWNLOADS, b'{"url":"1"}')
    store.statistics.add(FAILED_TUNNELS, b'{"tunnel_error":"2"}')
    client.reports.moved(1, 2)
    tunnel.error, tunnel.reply = error, None
    assert await client.reports.report(tunnel) is (error is None)
    tunnel.error, tunnel.reply = None, b"{}"
    client.reports.moved(10, 20)
    assert await client.reports.report(tunnel)
    assert await client.reports.report(tunnel)
    assert amounts(tunnel) == [3, 33]
    for data in said(tunnel):
        assert data["remote_server_list_stats"] == [{"url": "1"}]
        assert data["failed_tunnel_stats"] == [{"tunnel_error": "2"}]


async def test_a_report_without_an_answer_is_told(store: ClientStore, clock: SetClock) -> None:
    client, tunnel = Client(store, clock), ScriptedTunnel()
    tunnel.silent = True
    client.reports.moved(1, 2)
    task = client.start(tunnel)
    await asyncio.sleep(620)
    assert client.failures == 1
    tunnel.answer_all()
    await asyncio.sleep(600)
    assert client.failures == 1
    assert amounts(tunnel)[-1] == 3
    await end(tunnel, task)


@pytest.mark.parametrize("kind", [DOWNLOADS, FAILED_TUNNELS])
async def test_statistics_that_wait_are_sent_within_seconds(
    store: ClientStore, clock: SetClock, kind: str
) -> None:
    store.statistics.add(kind, b'{"a":"1"}')
    client, tunnel = Client(store, clock), ScriptedTunnel()
    task = client.start(tunnel)
    await asyncio.sleep(11)
    (time,) = tunnel.times(STATUS)
    assert 5 <= time <= 10
    assert not store.statistics.waiting()
    await end(tunnel, task)


async def test_statistics_are_sent_in_portions(store: ClientStore, clock: SetClock) -> None:
    records = [json.dumps({"number": number, "text": "x" * 1000}).encode() for number in range(100)]
    for number, record in enumerate(records):
        store.statistics.add(DOWNLOADS if number % 2 else FAILED_TUNNELS, record)
    client, tunnel = Client(store, clock), ScriptedTunnel()
    for _ in range(3):
        await client.reports.report(tunnel)
    numbers: list[int] = []
    for data in said(tunnel):
        sent = data.get("remote_server_list_stats", []) + data.get("failed_tunnel_stats", [])
        assert len(json.dumps(sent, separators=(",", ":"))) <= MAX_STATISTICS + 1000
        numbers += [record["number"] for record in sent]
    assert sorted(numbers) == [*range(100)]
    assert len(said(tunnel)) == 2


async def test_a_record_that_the_disk_has_spoilt_is_dropped(store: ClientStore, clock: SetClock) -> None:
    for record in (b"\xff", b"[]", b'{"a":', b'{"good":"1"}', b"[" * 10_000):
        store.statistics.add(FAILED_TUNNELS, record)
    client, tunnel = Client(store, clock), ScriptedTunnel()
    tunnel.reply = None
    await client.reports.report(tunnel)
    assert said(tunnel)[0]["failed_tunnel_stats"] == [{"good": "1"}]
    assert store.statistics.take(FAILED_TUNNELS, 10**6) == [b'{"good":"1"}']


async def test_a_real_server_takes_a_report_with_everything_in_it(
    store: ClientStore, clock: SetClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    remember(store, 1500)
    for number in range(60):
        for kind in (DOWNLOADS, FAILED_TUNNELS):
            store.statistics.add(kind, json.dumps({"number": number, "text": "x" * 500}).encode())
    tunnel = make_tunnel(MemoryServer(Network.install(monkeypatch), tmp_path).entry)
    await tunnel.connect()
    await tunnel.handshake()
    client = Client(store, clock)
    client.reports.moved(1, 2)
    before = tunnel.bytes_transferred[0]
    assert await client.reports.report(tunnel)
    assert tunnel.bytes_transferred[0] - before > 100_000  # one request with all of it
    assert not store.statistics.waiting()
    store.statistics.add(DOWNLOADS, b'{"later":"1"}')
    assert await client.reports.report(tunnel)
    assert not tunnel.ended.done()
    tunnel.close()
    await settle()


async def test_what_our_server_makes_of_a_report(
    store: ClientStore, clock: SetClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is told of as events, and the client forgets the servers that the database does not have."""
    first, *others = remember(store, 5)
    (tmp_path / "psinet.json").write_text(json.dumps({"valid_server_entry_tags": {first: True}}))
    server = MemoryServer(
        Network.install(monkeypatch),
        tmp_path,
        PsinetDatabaseFilename="psinet.json",
        EventLogFilename="events",
    )
    client = Client(store, clock)
    failures = FailedTunnels(Identity.from_config(client_config()), store, clock)
    dead = dict(next(make_entries(1, first=1, capabilities=["OSSH"])))
    failures.record(choose(ServerEntry.from_fields(dead), "OSSH", SeededRng(1)), "refused")
    store.statistics.add(DOWNLOADS, b'{"spoilt":"1"}')
    tunnel = make_tunnel(server.entry)
    await tunnel.connect()
    await tunnel.handshake()
    assert await client.reports.report(tunnel)
    assert [entry.effective_tag for entry in store.entries.everything()] == [first]
    assert client.stream.getvalue().count("PruneServerEntry") == len(others)
    tunnel.close()
    await settle()
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    (failed,) = (event for event in events if event["event_name"] == "failed_tunnel")
    assert failed["server_entry_tag"] == others[0]
    assert (failed["tunnel_error"], failed["server_entry_valid"]) == ("refused", False)
    assert "remote_server_list" not in {event["event_name"] for event in events}


# ---- tags of servers --------------------------------------------------------------------------------------


async def test_tags_are_checked_soon_and_then_every_ninety_days(store: ClientStore, clock: SetClock) -> None:
    tags = remember(store)
    tunnel = ScriptedTunnel()
    client = Client(store, clock)
    task = client.start(tunnel)
    await asyncio.sleep(11)
    assert sorted(said(tunnel)[0]["check_server_entry_tags"]) == sorted(tags)
    await asyncio.sleep(7200)
    assert len(said(tunnel)) == 1
    clock.now += 90 * DAY
    await asyncio.sleep(600)
    assert len(said(tunnel)) == 2
    await end(tunnel, task)


async def test_invalid_tags_are_pruned_and_many_of_them_have_others_checked(
    store: ClientStore, clock: SetClock
) -> None:
    tags = remember(store)
    tunnel = ScriptedTunnel()
    tunnel.reply = json.dumps({"invalid_server_entry_tags": tags[:10]}).encode()
    client = Client(store, clock)
    task = client.start(tunnel)
    await asyncio.sleep(11)
    assert store.entries.count() == 20
    assert client.stream.getvalue().count("PruneServerEntry") == 10
    tunnel.reply = b"{}"
    await asyncio.sleep(610)
    assert sorted(said(tunnel)[1]["check_server_entry_tags"]) == sorted(tags[10:])
    await end(tunnel, task)


async def test_servers_that_failed_and_are_gone_are_pruned(store: ClientStore, clock: SetClock) -> None:
    tags = remember(store)
    store.values.set("serverEntryTagCheckEnd", str(int(clock.now)))
    store.statistics.add(FAILED_TUNNELS, json.dumps({"server_entry_tag": tags[3]}).encode())
    store.statistics.add(FAILED_TUNNELS, json.dumps({"server_entry_tag": 5}).encode())
    tunnel = ScriptedTunnel()
    tunnel.reply = json.dumps({"invalid_server_entry_tags": tags}).encode()
    await Client(store, clock).reports.report(tunnel)
    assert store.entries.count() == 29
    assert store.entries.by_tag(tags[3]) is None
    assert "check_server_entry_tags" not in said(tunnel)[0]


@pytest.mark.parametrize(
    "reply", [b"", b"[]", b'{"invalid_server_entry_tags": null}', b"\xff", b"[" * 10_000]
)
async def test_a_reply_that_cannot_be_read_is_taken_for_consent(
    store: ClientStore, clock: SetClock, reply: bytes
) -> None:
    remember(store)
    client, tunnel = Client(store, clock), ScriptedTunnel()
    tunnel.reply = reply
    client.reports.moved(1, 1)
    await client.reports.report(tunnel)
    await client.reports.report(tunnel)
    assert len(said(tunnel)) == 1
    assert store.entries.count() == 30


# ---- the end, and the next run ----------------------------------------------------------------------------


async def test_last_words_are_bounded(store: ClientStore, clock: SetClock) -> None:
    client, tunnel = Client(store, clock), ScriptedTunnel()
    tunnel.silent = True
    client.reports.moved(1, 2)
    await client.reports.last_words(tunnel)
    assert now() == 1.0
    assert len(said(tunnel)) == 1


async def test_last_words_ask_about_nobody(store: ClientStore, clock: SetClock) -> None:
    remember(store)
    client, tunnel = Client(store, clock), ScriptedTunnel()
    await client.reports.last_words(tunnel)
    assert said(tunnel) == []
    client.reports.moved(1, 2)
    await client.reports.last_words(tunnel)
    assert "check_server_entry_tags" not in said(tunnel)[0]


async def test_last_words_do_not_repeat_what_is_being_said(store: ClientStore, clock: SetClock) -> None:
    client, tunnel = Client(store, clock), ScriptedTunnel()
    client.reports.moved(1, 2)
    tunnel.silent = True
    report = asyncio.create_task(client.reports.report(tunnel))
    await asyncio.sleep(0.1)
    asyncio.get_running_loop().call_later(0.2, tunnel.answer_all)
    await client.reports.last_words(tunnel)
    await report
    assert amounts(tunnel) == [3]


async def test_the_next_run_says_what_this_one_could_not(tmp_path: Path, clock: SetClock) -> None:
    with closing(ClientStore.open(tmp_path, clock)) as store:
        client, tunnel = Client(store, clock), ScriptedTunnel()
        store.statistics.add(FAILED_TUNNELS, b'{"a":"1"}')
        client.reports.moved(1, 2)
        tunnel.silent = True
        task = client.start(tunnel)
        await asyncio.sleep(12)  # a report is under way, and the client is told to stop
        await client.reports.last_words(tunnel)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    with closing(ClientStore.open(tmp_path, clock)) as store:
        client, tunnel = Client(store, clock), ScriptedTunnel()
        client.reports.moved(10, 20)
        await client.reports.last_words(tunnel)
        assert amounts(tunnel) == [33]
        assert said(tunnel)[0]["failed_tunnel_stats"] == [{"a": "1"}]
    with closing(ClientStore.open(tmp_path, clock)) as store:
        client, tunnel = Client(store, clock), ScriptedTunnel()
        await client.reports.last_words(tunnel)
        assert said(tunnel) == []
