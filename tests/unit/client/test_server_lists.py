"""How a client learns of servers from storage: whole runs on virtual time, against storage in memory."""

import asyncio
import base64
import io
import json
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.memory_network import HANGS, MemoryServer, Network, client_config, settle
from tests.memory_storage import Storage, etag

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import OperatorError
from headrace.base.rng import SeededRng
from headrace.client.controller import REFRESH_PERIOD, Controller
from headrace.client.data_directory import DataDirectory
from headrace.client.downloads import STATISTICS, Downloads
from headrace.client.fetcher import RETRY_PERIOD, STALE_PERIOD
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.servers import FixedServers, StoredServers
from headrace.crypto.rsa_signing import PackageSigningKey
from headrace.documents.osl.config import OslConfig
from headrace.documents.osl.paver import current_osl_id, pave
from headrace.documents.osl.sloks import derive_slok
from headrace.documents.server_entry import ServerEntry
from headrace.documents.server_list import encode_list
from headrace.documents.signed_package import make_package
from headrace.establishment.settings import EstablishmentSettings
from headrace.net.http import HttpClient, direct
from headrace.net.streams import ByteStream
from headrace.store.client.store import ClientStore
from headrace.testing.entries import make_entries

DEFAULTS = EstablishmentSettings()

pytestmark = pytest.mark.virtual_time

LIST = "/bucket/web/abcd-efgh-ijkl/server_list_compressed"
ROOT = "/bucket/web/abcd-efgh-ijkl/osl"


@pytest.fixture(scope="module")
def key() -> PackageSigningKey:
    return PackageSigningKey.generate(2048)


@pytest.fixture(scope="module")
def other_key() -> PackageSigningKey:
    return PackageSigningKey.generate(2048)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def server(network: Network, tmp_path: Path) -> MemoryServer:
    (tmp_path / "server").mkdir()
    return MemoryServer(
        network, tmp_path / "server", names={"storage.example": ["93.184.216.34"]}, sweeping=False
    )


@pytest.fixture
def storage(network: Network) -> Storage:
    storage = Storage(network)
    network.places["93.184.216.34", 80] = network.places[storage.host, storage.port]  # as servers reach it
    return storage


@pytest.fixture
def store() -> Iterator[ClientStore]:
    store = ClientStore.open(None, SYSTEM_CLOCK)
    yield store
    store.close()


@pytest_asyncio.fixture(autouse=True)
async def nothing_left_running() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    await settle()
    assert not asyncio.all_tasks() - before - {asyncio.current_task()}


def listed(url: str, **more: object) -> list[dict[str, object]]:
    """Return a configured list of one URL."""
    return [{"URL": base64.b64encode(url.encode()).decode(), **more}]


def dead(count: int, network: Network, place: Any = None) -> list[dict[str, object]]:
    """Return entries of servers that refuse, or are in such a `place`."""
    entries = list(make_entries(count, port=4001, capabilities=["OSSH"]))
    if place is not None:
        network.places |= {(str(fields["ipAddress"]), 4001): place for fields in entries}
    return entries


def fields_of(server: MemoryServer, **change: object) -> dict[str, object]:
    return {**server.entry.fields, **change}


def package(key: PackageSigningKey, *entries: dict[str, object]) -> bytes:
    return make_package(encode_list(entries), key)


class Run:
    """A client that keeps things in `directory` and `store`, and knows where lists are."""

    def __init__(
        self,
        store: ClientStore,
        directory: Path,
        key: PackageSigningKey,
        *,
        known: list[dict[str, object]] | None = None,
        target: ServerEntry | None = None,
        embedded: list[str] | None = None,
        **settings: Any,
    ) -> None:
        for fields in known or []:
            local = {"localSource": "EMBEDDED", "localTimestamp": "2024-01-01T00:00:00Z"}
            store.entries.store({**fields, **local}, replace=False)
        config = client_config(
            DisableLocalSocksProxy=True,
            DisableLocalHTTPProxy=True,
            RemoteServerListSignaturePublicKey=key.public.to_text(),
            **settings,
        )
        self._stream = io.StringIO()
        notices = Notices(self._stream, SYSTEM_CLOCK, NoticeOptions(diagnostics=True))
        self.directory = DataDirectory(directory)
        self.directory.make()
        self.begun = now()
        self.controller = Controller(
            config,
            StoredServers(store) if target is None else FixedServers([target]),
            notices,
            SeededRng(9),
            store=store,
            directory=self.directory,
            embedded={"a file": embedded or []},
        )
        self.task = asyncio.create_task(self.controller.run())

    @property
    def took(self) -> float:
        """Seconds since it was started."""
        return now() - self.begun

    @property
    def notices(self) -> list[tuple[str, dict[str, Any]]]:
        lines = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [(line["noticeType"], line["data"]) for line in lines]

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [data for name, data in self.notices if name == kind]

    def warnings(self) -> list[str]:
        return [data["message"] for data in self.told("Warning")]

    @property
    def files(self) -> list[str]:
        """What is left of downloads."""
        paths = self.directory.path.rglob("*")
        return sorted(path.name for path in paths if path.is_file())

    async def connected(self) -> "Run":
        await self.controller.connected.wait()
        await settle()
        return self

    async def stop(self) -> None:
        self.controller.stop()
        await self.task


def now() -> float:
    return asyncio.get_running_loop().time()


def addresses(store: ClientStore) -> set[str]:
    return set(store.entries.addresses(SeededRng(1)))


# ---- the common list --------------------------------------------------------------------------------------


async def test_a_client_that_knows_nobody_fetches_the_list_at_once(
    server: MemoryServer, storage: Storage, store: ClientStore, tmp_path: Path, key: PackageSigningKey
) -> None:
    storage.objects[LIST] = package(key, fields_of(server))
    run = await Run(store, tmp_path, key, RemoteServerListURLs=listed(storage.url(LIST))).connected()
    assert run.took < DEFAULTS.pause
    (request,) = storage.requests
    assert request.headers == {
        "host": "storage.example:80",
        "user-agent": f"psiphon-tunnel-core/0 ({run.controller._shared.identity.platform})",
        "range": "bytes=0-",
    } or request.headers == {
        "host": "storage.example",
        "user-agent": f"psiphon-tunnel-core/0 ({run.controller._shared.identity.platform})",
        "range": "bytes=0-",
    }
    entry = store.entries.load(server.address, None)
    assert entry is not None
    assert entry.local_source == "REMOTE"
    assert store.etags.get(storage.url(LIST)) == etag(storage.objects[LIST])
    assert run.told("RemoteServerListResourceDownloaded") == [{"url": "[redacted]"}]
    assert run.told("RemoteServerListResourceDownloadedBytes")[-1]["bytes"] == len(storage.objects[LIST])
    assert run.files == []
    await run.stop()


@pytest.mark.parametrize("place", [None, HANGS], ids=["refusing", "silent"])
async def test_when_everybody_known_is_dead_the_list_brings_one_who_is_not(
    network: Network,
    server: MemoryServer,
    storage: Storage,
    store: ClientStore,
    tmp_path: Path,
    key: PackageSigningKey,
    place: Any,
) -> None:
    """Attempts go on meanwhile; whoever the list brings is tried as soon as a worker is free."""
    known = dead(30, network, place)
    storage.objects[LIST] = package(key, *known, fields_of(server))
    run = Run(store, tmp_path, key, known=known, RemoteServerListURLs=listed(storage.url(LIST)))
    await asyncio.sleep(DEFAULTS.work_time - 1)
    assert storage.requests == []
    assert len(run.told("ConnectingServer")) > 30
    await run.connected()
    assert storage.paths == [LIST]
    assert DEFAULTS.work_time <= run.took <= DEFAULTS.work_time + (1 if place is None else 16)
    await run.stop()


async def test_who_is_learned_of_between_two_rounds_is_tried_before_all_others(
    network: Network,
    server: MemoryServer,
    storage: Storage,
    store: ClientStore,
    tmp_path: Path,
    key: PackageSigningKey,
) -> None:
    storage.objects[LIST] = package(key, fields_of(server))
    run = Run(store, tmp_path, key, known=dead(50, network), RemoteServerListURLs=listed(storage.url(LIST)))
    await run.connected()
    fetched = network.dialled.index((storage.host, storage.port))
    assert network.dialled[fetched + 1][0] == server.address
    await run.stop()


async def test_the_impatient_fetch_sooner_when_configured_so(
    network: Network,
    server: MemoryServer,
    storage: Storage,
    store: ClientStore,
    tmp_path: Path,
    key: PackageSigningKey,
) -> None:
    storage.objects[LIST] = package(key, fields_of(server))
    run = await Run(
        store,
        tmp_path,
        key,
        known=dead(3, network),
        RemoteServerListURLs=listed(storage.url(LIST)),
        EstablishTunnelWorkTimeSeconds=5,
    ).connected()
    assert run.took == pytest.approx(5, abs=0.5)
    await run.stop()


async def test_alternatives_are_tried_after_as_many_attempts_as_they_say(
    network: Network,
    server: MemoryServer,
    storage: Storage,
    store: ClientStore,
    tmp_path: Path,
    key: PackageSigningKey,
) -> None:
    storage.objects["/elsewhere"] = package(key, fields_of(server))
    urls = [
        *listed("http://blocked.example/list"),
        *listed(storage.url("/elsewhere"), OnlyAfterAttempts=2, SkipVerify=True),
    ]
    run = await Run(store, tmp_path, key, RemoteServerListURLs=urls).connected()
    assert len(storage.requests) == 1
    assert network.dialled.count(("blocked.example", 80)) >= 2
    assert run.took >= 2 * RETRY_PERIOD * 0.9
    assert store.etags.get("http://blocked.example/list") == etag(storage.objects["/elsewhere"])
    assert all("blocked" not in text and "storage" not in text for text in run.warnings())
    await run.stop()


async def test_a_download_that_is_cut_again_and_again_arrives_whole(
    server: MemoryServer, storage: Storage, store: ClientStore, tmp_path: Path, key: PackageSigningKey
) -> None:
    content = storage.objects[LIST] = package(key, *make_entries(20), fields_of(server))
    rng = SeededRng(3)
    cuts = [rng.between(0, len(content) // 20) for _ in range(50)]
    storage.cut = lambda: cuts.pop() if cuts else None
    run = Run(
        store,
        tmp_path,
        key,
        RemoteServerListURLs=listed(storage.url(LIST)),
        EstablishTunnelTimeoutSeconds=0,
    )
    await run.connected()
    assert len(storage.requests) > 20
    starts = [int(request.headers["range"][6:-1]) for request in storage.requests]
    assert starts == sorted(starts)
    assert all(
        "if-match" in request.headers
        for request in storage.requests
        if request.headers["range"] != "bytes=0-"
    )
    assert addresses(store) == {str(fields["ipAddress"]) for fields in make_entries(20)} | {server.address}
    await run.stop()


def flipped(content: bytes) -> bytes:
    return content[:500] + bytes([content[500] ^ 1]) + content[501:]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda content, other: other, "another key"),
        (lambda content, other: flipped(content), ""),
        (lambda content, other: content[:-100], ""),
        (lambda content, other: b"<html>not the list</html>", ""),
        (lambda content, other: b"", ""),
        (lambda content, other: zlib.compress(bytes(10_000_000)), ""),
    ],
    ids=["another key", "flipped", "truncated", "a web page", "empty", "zeros"],
)
async def test_of_a_list_that_cannot_be_believed_nothing_is_kept(
    server: MemoryServer,
    storage: Storage,
    store: ClientStore,
    tmp_path: Path,
    key: PackageSigningKey,
    other_key: PackageSigningKey,
    spoil: Callable[[bytes, bytes], bytes],
    reason: str,
) -> None:
    good, forged = package(key, fields_of(server)), package(other_key, fields_of(server))
    storage.objects[LIST] = spoil(good, forged)
    run = Run(store, tmp_path, key, RemoteServerListURLs=listed(storage.url(LIST)))
    await asyncio.sleep(RETRY_PERIOD * 3.5)
    assert addresses(store) == set()
    assert store.etags.get(storage.url(LIST)) == ""
    assert run.files == []
    assert 3 <= len(storage.requests) <= 5  # it does not give up, and does not hurry either
    assert run.warnings()
    assert all(
        text.startswith("fetching the remote server list: ") and reason in text for text in run.warnings()
    )
    storage.objects[LIST] = good
    await run.connected()
    await run.stop()


async def test_who_has_no_list_is_not_put_off_with_nothing_has_changed(
    server: MemoryServer,
    storage: Storage,
    store: ClientStore,
    tmp_path: Path,
    key: PackageSigningKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = storage.answer
    monkeypatch.setattr(storage, "answer", lambda path, headers: (304, {}, b""))
    run = Run(store, tmp_path, key, RemoteServerListURLs=listed(storage.url(LIST)))
    await asyncio.sleep(1)
    assert len(run.warnings()) == len(storage.requests) == 1
    monkeypatch.setattr(storage, "answer", answer)
    storage.objects[LIST] = package(key, fields_of(server))
    await run.connected()
    assert run.took < 2 * RETRY_PERIOD
    await run.stop()


async def test_an_older_list_played_back_is_believed_again(
    server: MemoryServer, storage: Storage, store: ClientStore, tmp_path: Path, key: PackageSigningKey
) -> None:
    """That is how lists work: what storage has is definitive, versions are for copies that programs bring."""
    newer = fields_of(server, configurationVersion=5, region="SE")
    older = fields_of(server, configurationVersion=4, region="FI")
    storage.objects[LIST] = package(key, older)
    run = await Run(
        store, tmp_path, key, known=[newer], RemoteServerListURLs=listed(storage.url(LIST))
    ).connected()
    await asyncio.sleep(1)
    entry = store.entries.load(server.address, None)
    assert entry is not None
    assert (entry.configuration_version, entry.region) == (4, "FI")
    await run.stop()


async def test_a_capability_that_a_list_no_longer_has_is_not_dialled_again(
    server: MemoryServer, storage: Storage, store: ClientStore, tmp_path: Path, key: PackageSigningKey
) -> None:
    storage.objects[LIST] = package(key, fields_of(server, capabilities=["SSH"], configurationVersion=1))
    run = await Run(
        store, tmp_path, key, known=[fields_of(server)], RemoteServerListURLs=listed(storage.url(LIST))
    ).connected()
    await asyncio.sleep(1)
    await run.stop()
    again = await Run(store, tmp_path, key, known=[fields_of(server)]).connected()
    assert {data["protocol"] for data in again.told("ConnectingServer")} == {"SSH"}
    await again.stop()


async def test_a_line_that_does_not_decode_ends_the_import_and_what_came_before_stays(
    server: MemoryServer, storage: Storage, store: ClientStore, tmp_path: Path, key: PackageSigningKey
) -> None:
    good = encode_list([fields_of(server)])
    after = encode_list(make_entries(1))
    storage.objects[LIST] = make_package(f"{good}\nnonsense\n{after}", key)
    run = await Run(store, tmp_path, key, RemoteServerListURLs=listed(storage.url(LIST))).connected()
    assert addresses(store) == {server.address}
    assert store.etags.get(storage.url(LIST)) == ""  # it is fetched again
    assert any("line 2" in text for text in run.warnings())
    await run.stop()


async def test_while_connected_lists_are_fetched_through_the_tunnel_and_kept_fresh(
    network: Network,
    server: MemoryServer,
    storage: Storage,
    store: ClientStore,
    tmp_path: Path,
    key: PackageSigningKey,
) -> None:
    storage.objects[LIST] = package(key, fields_of(server), *make_entries(3))
    run = await Run(
        store, tmp_path, key, known=[fields_of(server)], RemoteServerListURLs=listed(storage.url(LIST))
    ).connected()
    await asyncio.sleep(STALE_PERIOD - 60)
    assert len(storage.requests) == 1
    assert len(addresses(store)) == 4
    await asyncio.sleep(REFRESH_PERIOD)
    again = storage.requests[1:]
    assert [request.headers.get("if-none-match") for request in again] == [etag(storage.objects[LIST])]
    assert (storage.host, storage.port) not in network.dialled  # never from this machine
    assert run.told("RemoteServerListResourceDownloaded") == [{"url": "[redacted]"}]
    await run.stop()
    assert network.open == []


async def test_a_connection_from_before_the_tunnel_is_not_used_once_there_is_one(
    storage: Storage, store: ClientStore, tmp_path: Path
) -> None:
    tunneled = False
    connected = []

    async def connect(host: str, port: int, timeout: float) -> ByteStream:
        connected.append(tunneled)
        return await direct(host, port, timeout)

    downloads = Downloads(
        HttpClient(connect),
        store,
        Notices(io.StringIO(), SYSTEM_CLOCK),
        lambda: tunneled,
        user_agent="tests",
        show_urls=False,
        clock=SYSTEM_CLOCK,
    )
    for number in range(4):
        tunneled = number >= 2
        url = storage.url(f"/{number}")
        storage.objects[f"/{number}"] = b"a list"
        fetched = await downloads.get(url, url, tmp_path / str(number), skip_verify=False)
        assert fetched.tunneled == tunneled
    await downloads.close()
    assert connected == [False, True]


async def test_servers_that_arrive_are_announced_with_their_regions(
    server: MemoryServer, storage: Storage, store: ClientStore, tmp_path: Path, key: PackageSigningKey
) -> None:
    storage.objects[LIST] = package(key, fields_of(server, region="SE"))
    run = await Run(store, tmp_path, key, RemoteServerListURLs=listed(storage.url(LIST))).connected()
    assert [data["regions"] for data in run.told("AvailableEgressRegions")] == [[], ["SE"]]
    await run.stop()


async def test_servers_of_another_region_than_the_chosen_one_are_not_tried(
    network: Network,
    server: MemoryServer,
    storage: Storage,
    store: ClientStore,
    tmp_path: Path,
    key: PackageSigningKey,
) -> None:
    elsewhere = [{**fields, "region": "FI"} for fields in make_entries(3, port=4001)]
    storage.objects[LIST] = package(key, *elsewhere, fields_of(server, region="SE"))
    run = await Run(
        store, tmp_path, key, RemoteServerListURLs=listed(storage.url(LIST)), EgressRegion="SE"
    ).connected()
    assert [data["region"] for data in run.told("ConnectingServer")] == ["SE"]
    await run.stop()


@pytest.mark.parametrize("disabled", [True, False])
async def test_what_is_switched_off_or_pointless_is_not_fetched(
    network: Network,
    server: MemoryServer,
    storage: Storage,
    store: ClientStore,
    tmp_path: Path,
    key: PackageSigningKey,
    disabled: bool,
) -> None:
    settings: dict[str, Any] = {"RemoteServerListURLs": listed(storage.url(LIST))}
    if disabled:
        run = Run(
            store, tmp_path, key, known=dead(2, network), DisableRemoteServerListFetcher=True, **settings
        )
    else:  # a client that may use one server only has no use for others
        run = Run(
            store, tmp_path, key, target=server.entry, TargetServerEntry=server.entry.encode(), **settings
        )
    await asyncio.sleep(DEFAULTS.give_up / 2)
    assert storage.requests == []
    await run.stop()


async def test_each_changed_download_is_counted_for_a_later_report(
    server: MemoryServer,
    storage: Storage,
    store: ClientStore,
    tmp_path: Path,
    key: PackageSigningKey,
    other_key: PackageSigningKey,
) -> None:
    storage.objects[LIST] = package(other_key, fields_of(server))
    run = Run(store, tmp_path, key, RemoteServerListURLs=listed(storage.url(LIST)))
    await asyncio.sleep(1)
    storage.objects[LIST] = package(key, fields_of(server))
    await run.connected()
    records = [json.loads(record) for record in store.statistics.take(STATISTICS, 65_536)]
    assert [record["authenticated"] for record in records] == ["0", "1"]
    assert {record["url"] for record in records} == {storage.url(LIST)}
    assert records[1]["etag"] == etag(storage.objects[LIST])
    assert records[1]["bytes"] == str(len(storage.objects[LIST]))
    assert records[1]["tunneled"] == "0"
    assert {type(value) for record in records for value in record.values()} == {str}
    assert records[1]["client_download_timestamp"].endswith(":00:00Z")
    await run.stop()


async def test_a_download_whose_check_was_called_off_is_not_counted_as_a_forgery(
    storage: Storage,
    store: ClientStore,
    tmp_path: Path,
    key: PackageSigningKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def endless(*arguments: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("headrace.client.common_list.verified", endless)
    storage.objects[LIST] = package(key)
    run = Run(store, tmp_path, key, RemoteServerListURLs=listed(storage.url(LIST)))
    await asyncio.sleep(1)
    await run.stop()
    assert len(run.told("RemoteServerListResourceDownloaded")) == 1
    assert store.statistics.take(STATISTICS, 65_536) == []
    assert run.files == []


async def test_a_list_without_an_etag_is_imported_all_the_same(
    server: MemoryServer,
    storage: Storage,
    store: ClientStore,
    tmp_path: Path,
    key: PackageSigningKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.memory_storage.etag", lambda content: "")
    storage.objects[LIST] = package(key, fields_of(server))
    run = await Run(store, tmp_path, key, RemoteServerListURLs=listed(storage.url(LIST))).connected()
    await run.stop()


async def test_a_mistake_of_ours_ends_fetching_not_the_client(
    server: MemoryServer,
    storage: Storage,
    store: ClientStore,
    tmp_path: Path,
    key: PackageSigningKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fetch(self: object, attempt: int) -> None:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr("headrace.client.common_list.CommonList.fetch", fetch)
    run = await Run(
        store, tmp_path, key, known=[fields_of(server)], RemoteServerListURLs=listed(storage.url(LIST))
    ).connected()
    await asyncio.sleep(1)
    (error,) = run.told("InternalError")
    assert "fetched no more" in error["message"]
    assert "ZeroDivisionError" in error["message"]
    assert not run.task.done()
    await run.stop()


async def test_stopping_amid_a_download_is_orderly(
    network: Network, storage: Storage, store: ClientStore, tmp_path: Path, key: PackageSigningKey
) -> None:
    network.places[storage.host, storage.port] = HANGS
    run = Run(store, tmp_path, key, RemoteServerListURLs=listed(storage.url(LIST)))
    await asyncio.sleep(1)
    stopped = now()
    await run.stop()
    assert now() - stopped < 1
    assert network.open == []


# ---- embedded lists ---------------------------------------------------------------------------------------


async def test_a_first_run_begins_with_what_came_along(
    server: MemoryServer, store: ClientStore, tmp_path: Path, key: PackageSigningKey
) -> None:
    run = await Run(store, tmp_path, key, embedded=[server.entry.encode()]).connected()
    assert run.took < 1
    entry = store.entries.load(server.address, None)
    assert entry is not None
    assert entry.local_source == "EMBEDDED"
    assert entry.local_timestamp.endswith(":00:00Z")
    await run.stop()


async def test_a_later_run_does_not_undo_what_was_learned(
    server: MemoryServer, store: ClientStore, tmp_path: Path, key: PackageSigningKey
) -> None:
    learned = fields_of(server, configurationVersion=3, region="SE")
    run = await Run(store, tmp_path, key, known=[learned], embedded=[server.entry.encode()]).connected()
    entry = store.entries.load(server.address, None)
    assert entry is not None
    assert entry.region == "SE"
    await run.stop()


async def test_a_mistake_in_the_list_is_told_and_the_rest_goes_on(
    server: MemoryServer, store: ClientStore, tmp_path: Path, key: PackageSigningKey
) -> None:
    run = await Run(store, tmp_path, key, embedded=[server.entry.encode(), "nonsense"]).connected()
    (error,) = run.told("Error")
    assert error["message"].startswith("a file: line 2: ")
    await run.stop()


async def test_with_nobody_to_connect_to_and_no_list_the_run_ends_saying_so(
    store: ClientStore, tmp_path: Path, key: PackageSigningKey
) -> None:
    run = Run(store, tmp_path, key)
    with pytest.raises(OperatorError, match="no server entry to connect to"):
        await run.task


async def test_with_nothing_but_a_bad_list_the_run_ends_saying_what_is_wrong_with_it(
    store: ClientStore, tmp_path: Path, key: PackageSigningKey
) -> None:
    run = Run(store, tmp_path, key, embedded=["nonsense"])
    with pytest.raises(OperatorError, match=r"a file: line 1: .*not hexadecimal"):
        await run.task
    assert run.told("Error")


async def test_with_nothing_but_entries_that_cannot_be_used_the_run_ends(
    server: MemoryServer, store: ClientStore, tmp_path: Path, key: PackageSigningKey
) -> None:
    line = encode_list([fields_of(server, sshPort="22")])
    run = Run(store, tmp_path, key, embedded=[line])
    with pytest.raises(OperatorError, match="none that can be used"):
        await run.task


# ---- obfuscated lists -------------------------------------------------------------------------------------

HOUR = 3600 * 10**9
CHANNEL = "F" * 16


def osl_config() -> OslConfig:
    from headrace.documents.osl.config import read_osl_config

    def secret(number: int) -> str:
        return base64.b64encode(bytes([number]) * 32).decode()

    spec = {"ID": secret(2), "UpstreamSubnets": ["0.0.0.0/0"], "Targets": {"BytesRead": 1}}
    scheme = {
        "Epoch": "2024-01-01T00:00:00Z",
        "Regions": [],
        "PropagationChannelIDs": [CHANNEL],
        "MasterKey": secret(1),
        "SeedSpecs": [spec],
        "SeedSpecThreshold": 1,
        "SeedPeriodNanoseconds": HOUR,
        "SeedPeriodKeySplits": [{"Total": 3, "Threshold": 2}],
    }
    return read_osl_config(json.dumps({"Schemes": [scheme]}).encode())


class Osl:
    """A paved set of two lists, and the keys that a server would hand out for the second one."""

    def __init__(self, key: PackageSigningKey, *entries: dict[str, object]) -> None:
        config = osl_config()
        scheme = config.schemes[0]
        self.start = scheme.start + scheme.duration
        self.osl_id = current_osl_id(scheme, CHANNEL, self.start)
        lines = encode_list(entries).split("\n")
        files = pave(config, CHANNEL, None, self.start, {self.osl_id.hex(): lines}, key)
        self.files = {f"{ROOT}/{file.name}": file.contents for file in files}
        spec = scheme.seed_specs[0]
        self.sloks = [
            derive_slok(scheme.master_key, CHANNEL, spec.id, self.start + period * HOUR)
            for period in range(3)
        ]

    @property
    def path(self) -> str:
        return f"{ROOT}/osl-{self.osl_id.hex()}"

    def seed(self, *numbers: int) -> memoryview:
        """Return the request in which a server hands out some of the keys."""
        sloks = [
            {
                "ID": base64.b64encode(self.sloks[number].id).decode(),
                "Key": base64.b64encode(self.sloks[number].key).decode(),
            }
            for number in numbers
        ]
        return memoryview(json.dumps({"seed_payload": {"SLOKs": sloks}}).encode())


@pytest.fixture
def connected_to(
    network: Network,
    server: MemoryServer,
    storage: Storage,
    store: ClientStore,
    tmp_path: Path,
    key: PackageSigningKey,
) -> Callable[[Osl], Any]:
    """Run a client that is connected, with that set on storage."""

    async def connect(osl: Osl) -> Run:
        storage.objects |= osl.files
        return await Run(
            store,
            tmp_path,
            key,
            known=[fields_of(server)],
            ObfuscatedServerListRootURLs=listed(storage.url(ROOT)),
        ).connected()

    return connect


async def test_keys_that_a_server_hands_out_open_a_list(
    storage: Storage, store: ClientStore, key: PackageSigningKey, connected_to: Callable[[Osl], Any]
) -> None:
    osl = Osl(key, *make_entries(5))
    run: Run = await connected_to(osl)
    await asyncio.sleep(1)
    registry = f"{ROOT}/osl-registry"
    assert storage.paths == [registry]
    answer = run.controller._search._answer
    assert answer(b"psiphon-osl", osl.seed(0)) == b""  # one of two that it takes
    await asyncio.sleep(1)
    assert storage.paths == [registry] * 2
    assert answer(b"psiphon-osl", osl.seed(2)) == b""
    await asyncio.sleep(1)
    assert storage.paths == [registry, registry, registry, osl.path]
    entries = [store.entries.load(str(fields["ipAddress"]), None) for fields in make_entries(5)]
    assert {entry.local_source for entry in entries if entry} == {"OBFUSCATED"}
    assert None not in entries
    assert run.files == ["osl-registry.cached"]
    await asyncio.sleep(STALE_PERIOD + REFRESH_PERIOD)
    assert storage.paths[4:] == [registry]  # the list is known by its sum
    await run.stop()


async def test_what_one_list_brings_is_not_lost_with_another(
    storage: Storage, store: ClientStore, key: PackageSigningKey, connected_to: Callable[[Osl], Any]
) -> None:
    """A list that storage does not have fails alone, and is asked for again."""
    osl = Osl(key, *make_entries(2))
    content = osl.files.pop(osl.path)
    run: Run = await connected_to(osl)
    await asyncio.sleep(1)
    run.controller._search._answer(b"psiphon-osl", osl.seed(0, 1))
    await asyncio.sleep(1)
    assert run.warnings() == ["fetching obfuscated server lists: the server answered with status 404"]
    storage.objects[osl.path] = content
    await asyncio.sleep(RETRY_PERIOD * 1.2)
    assert len(addresses(store)) == 3
    await run.stop()


async def test_without_its_registry_storage_may_still_have_the_lists(
    storage: Storage, store: ClientStore, key: PackageSigningKey, connected_to: Callable[[Osl], Any]
) -> None:
    osl = Osl(key, *make_entries(2))
    run: Run = await connected_to(osl)
    await asyncio.sleep(1)
    del storage.objects[f"{ROOT}/osl-registry"]
    run.controller._search._answer(b"psiphon-osl", osl.seed(0, 1))
    await asyncio.sleep(1)
    assert len(addresses(store)) == 3  # by the registry that was kept
    assert run.warnings() == ["fetching obfuscated server lists: the server answered with status 404"]
    await run.stop()


async def test_a_registry_that_cannot_be_believed_is_not_kept(
    storage: Storage,
    store: ClientStore,
    key: PackageSigningKey,
    other_key: PackageSigningKey,
    connected_to: Callable[[Osl], Any],
) -> None:
    forged = Osl(other_key, *make_entries(2))
    run: Run = await connected_to(forged)
    run.controller._search._answer(b"psiphon-osl", forged.seed(0, 1, 2))
    await asyncio.sleep(1)
    assert run.files == []
    assert len(addresses(store)) == 1
    storage.objects |= Osl(key, *make_entries(2)).files
    await asyncio.sleep(RETRY_PERIOD * 1.2)
    assert len(addresses(store)) == 3
    await run.stop()


async def test_a_list_that_its_key_opens_but_another_signed_is_refused(
    storage: Storage,
    store: ClientStore,
    key: PackageSigningKey,
    other_key: PackageSigningKey,
    connected_to: Callable[[Osl], Any],
) -> None:
    osl = Osl(key, *make_entries(2))
    osl.files[osl.path] = Osl(other_key, *make_entries(2)).files[osl.path]
    run: Run = await connected_to(osl)
    run.controller._search._answer(b"psiphon-osl", osl.seed(0, 1))
    await asyncio.sleep(1)
    assert len(addresses(store)) == 1
    assert any("another key" in text for text in run.warnings())
    assert run.files == ["osl-registry.cached"]
    await run.stop()
