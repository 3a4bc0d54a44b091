"""Server lists as a user depends on them: `headrace client` as a program of its own, storage that is real.

Every server that the client knows is dead, or becomes so. What helps is a list, and whoever is in between
cuts it, forges it, plays back an old one, or kills the client while it is at it.
"""

import asyncio
import json
import random
import signal
import sqlite3
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import repeat
from pathlib import Path
from typing import Any

from tests.certificates import Authority
from tests.e2e.storage import BUCKET, Storage
from tests.e2e.test_list_downloads import MIB, bomb
from tests.e2e.test_processes import server as server_process
from tests.interop.programs import Program, curl, running
from tests.osl_configs import CHANNEL, HOUR, config_bytes, scheme, spec
from tests.package_keys import KEY, new_key

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.rng import SYSTEM_RNG
from headrace.client.data_directory import DataDirectory
from headrace.documents.osl.config import read_osl_config
from headrace.documents.osl.paver import current_osl_id, pave
from headrace.documents.server_entry import ServerEntry
from headrace.documents.server_list import encode_list
from headrace.documents.signed_package import make_package
from headrace.establishment.settings import EstablishmentSettings
from headrace.store.client.store import FILE_NAME, ClientStore
from headrace.testing.censor import CLOSE, REFUSE, RESET, STALL, Censor, Rule
from headrace.testing.dead_ends import refusing, silent
from headrace.testing.entries import address_of, make_entries
from headrace.testing.loopback import LoopbackServer
from headrace.testing.origin import PAGE, Origin, payload

DEFAULTS = EstablishmentSettings()

ALIVE = "127.0.0.2"
#: Seconds until establishing takes long: then lists are fetched.
TRIGGER = 1
#: Seconds from there to a tunnel; it is one when nothing else is to be done on this machine.
PROMPTLY = 5.0
#: Servers that are dead: so many take connections and say nothing. They hold workers, ten of which there are.
SILENT, DEAD = 6, 26
CUTS = 50
MANY = 5000
CONNECTED = '"count":1},"noticeType":"Tunnels"'

Fields = Mapping[str, object]


# ---- a client, and what it tells ---------------------------------------------------------------------------


@asynccontextmanager
async def client(directory: Path, **settings: object) -> AsyncIterator[Program]:
    """Run the client; what it learns stays in `directory`, for the next one."""
    config = {
        "PropagationChannelId": CHANNEL,
        "SponsorId": CHANNEL,
        "DataRootDirectory": str(directory),
        "RemoteServerListSignaturePublicKey": KEY.public.to_text(),
        "LimitTunnelProtocols": ["OSSH"],
        "EstablishTunnelWorkTimeSeconds": TRIGGER,
        "FetchRemoteServerListRetryPeriodMilliseconds": 50,
        "EmitDiagnosticNotices": True,
        **settings,
    }
    file = directory / "client.json"
    file.write_text(json.dumps(config))
    command = (sys.executable, "-m", "headrace", "client", "--config", file)
    async with running(*command, directory=directory) as child:
        yield child


def fetching(authority: Authority, url: str, **settings: object) -> dict[str, Any]:
    """Return the settings of a client that fetches the common list from there."""
    return {
        "RemoteServerListURLs": urls(url),
        "TrustedCACertificatesFilename": str(authority.file),
        **settings,
    }


def urls(url: str) -> list[dict[str, object]]:
    return [{"URL": b64encode(url.encode()).decode()}]


def notices(child: Program, kind: str) -> list[dict[str, Any]]:
    """Return the client's notices of a kind, so far."""
    everything = [json.loads(line) for line in child.lines if line.startswith("{")]
    return [notice for notice in everything if notice["noticeType"] == kind]


def told(child: Program, kind: str) -> list[dict[str, Any]]:
    """Return the data of the client's notices of a kind, so far."""
    return [notice["data"] for notice in notices(child, kind)]


def warnings(child: Program) -> list[str]:
    return [data["message"] for data in told(child, "Warning")]


def seconds(notice: dict[str, Any]) -> float:
    """Return when a notice was given."""
    return datetime.fromisoformat(notice["timestamp"]).timestamp()


def took(child: Program) -> float:
    """Return the seconds from the moment when establishing took long to the first tunnel."""
    begun = notices(child, "CandidateServers")[0]
    connected = next(notice for notice in notices(child, "Tunnels") if notice["data"]["count"] == 1)
    return seconds(connected) - seconds(begun) - TRIGGER


async def connected_to(child: Program, entry: ServerEntry) -> None:
    """Wait until there is a tunnel to this server."""
    data = f'{{"diagnosticID":"{entry.diagnostic_id}","protocol":"OSSH"}}'
    await child.says(f'{data},"noticeType":"ActiveTunnel"')
    await child.says(CONNECTED)


async def works(child: Program, origin: Origin, path: str = "/", expected: bytes = PAGE) -> None:
    """Fetch through the client's SOCKS proxy."""
    port = told(child, "ListeningSocksProxyPort")[-1]["port"]
    proxy = f"socks5h://127.0.0.1:{port}"
    assert await curl("--proxy", proxy, origin.url(path), directory=Path.cwd()) == expected


async def end(child: Program) -> int:
    """Press Ctrl-C, which is to end the client in order; return the exit code."""
    child.process.send_signal(signal.SIGINT)
    code = await child.process.wait()
    await child.says('"noticeType":"Exiting"')
    return code


# ---- servers and lists -------------------------------------------------------------------------------------


@contextmanager
def dead_servers() -> Iterator[list[dict[str, object]]]:
    """Yield entries of servers that hang or refuse."""
    mute_addresses = [address_of(number) for number in range(SILENT)]
    with silent(mute_addresses) as mute, refusing() as closed:
        yield [
            *make_entries(SILENT, port=mute, capabilities=["OSSH"]),
            *make_entries(DEAD - SILENT, first=SILENT, port=closed, capabilities=["OSSH"]),
        ]


def package(*entries: Fields) -> bytes:
    return make_package(encode_list(map(dict, entries)), KEY)


def embedded(entries: list[dict[str, object]]) -> list[str]:
    return encode_list(entries).split("\n")


def store_file(directory: Path) -> Path:
    return DataDirectory(directory).store / FILE_NAME


def stored(directory: Path) -> dict[str, ServerEntry]:
    """Return what a client that has ended knew, by address."""
    with closing(ClientStore.open(DataDirectory(directory).store, SYSTEM_CLOCK)) as store:
        entries = [store.entries.load(address, None) for address in store.entries.addresses(SYSTEM_RNG)]
        assert len(entries) == store.entries.count()
    return {entry.ip_address: entry for entry in entries if entry}


def stored_meanwhile(directory: Path) -> int:
    """Return how many servers a running client knows."""
    with closing(sqlite3.connect(f"file:{store_file(directory)}?mode=ro", uri=True)) as database:
        (count,) = database.execute("SELECT count(*) FROM entry").fetchone()
        return int(count)


def addresses(entries: list[dict[str, object]]) -> set[str]:
    return {str(fields["ipAddress"]) for fields in entries}


# ---- the common list ---------------------------------------------------------------------------------------


async def test_a_list_leads_a_client_out_when_everybody_it_knows_is_dead(
    storage: Storage, authority: Authority, origin: Origin, tmp_path: Path
) -> None:
    path = f"{storage.prefix()}/server_list_compressed"
    url = storage.url(path)
    host, _, below = url.removeprefix("https://").partition("/")
    assert host == f"localhost:{storage.port}"  # all that somebody on the path sees
    assert below.startswith(BUCKET)
    async with LoopbackServer(address=ALIVE) as server:
        with dead_servers() as known:
            storage.put(path, package(*known, server.entry.fields))
            settings = fetching(authority, url, EmbeddedServerEntryList=embedded(known))
            async with client(tmp_path, **settings) as child:
                await connected_to(child, server.entry)
                await works(child, origin)
                assert len(told(child, "ConnectingServer")) >= DEAD - SILENT
                assert told(child, "RemoteServerListResourceDownloaded") == [{"url": "[redacted]"}]
                assert warnings(child) == []
                assert took(child) < PROMPTLY < DEFAULTS.work_time
                assert await end(child) == 0
    assert stored(tmp_path)[ALIVE].local_source == "REMOTE"


async def test_a_list_that_is_cut_again_and_again_leads_out_too(
    nginx: Storage, authority: Authority, origin: Origin, tmp_path: Path
) -> None:
    path = f"{nginx.prefix()}/server_list_compressed"
    rng = random.Random(50)
    async with LoopbackServer(address=ALIVE) as server:
        with dead_servers() as known:
            others = make_entries(1000, first=DEAD, capabilities=["QUIC"])
            content = package(*others, server.entry.fields)
            nginx.put(path, content)
            # Some of them come amid the TLS handshake, most amid the list.
            rules = [
                Rule(rng.choice((RESET, CLOSE)), down=rng.randint(1, len(content) // 25)) for _ in range(CUTS)
            ]
            async with Censor(nginx.port, rules=rules) as censor:
                url = nginx.url(path, port=censor.port)
                settings = fetching(authority, url, EmbeddedServerEntryList=embedded(known))
                async with client(tmp_path, **settings) as child:
                    await connected_to(child, server.entry)
                    await works(child, origin)
                    assert await end(child) == 0
                progress = told(child, "RemoteServerListResourceDownloadedBytes")
                sizes = [data["bytes"] for data in progress if data["bytes"]]  # 0 where nothing came
                assert sizes == sorted(sizes)  # what had arrived was kept
                assert sizes[-1] == len(content)
                assert CUTS // 2 < len(warnings(child)) <= CUTS
                # What was on its way again: a TLS record that was cut, a handshake and a head, for each cut.
                assert censor.down < len(content) + len(censor.connections) * 20_000
    assert ALIVE in stored(tmp_path)


async def test_lists_that_cannot_be_believed_leave_nothing_and_take_little(
    nginx: Storage, authority: Authority, origin: Origin, tmp_path: Path
) -> None:
    path = f"{nginx.prefix()}/server_list_compressed"
    forged = list(make_entries(20, first=1000))
    good = list(make_entries(200, first=2000, capabilities=["QUIC"]))
    true = package(*forged)
    with dead_servers() as known:
        nginx.put(path, make_package(encode_list(forged), new_key()))
        settings = fetching(authority, nginx.url(path), EmbeddedServerEntryList=embedded(known))
        async with LoopbackServer(address=ALIVE) as server, client(tmp_path, **settings) as child:
            await child.says("fetching the remote server list: package is signed with another key")
            nginx.put(path, true[: len(true) // 2])
            await child.says("fetching the remote server list: package is cut short")
            before = peak_memory(child)
            nginx.put(path, bomb(b'{"data":"', b"0"))
            await child.says("fetching the remote server list: package is too large")
            assert peak_memory(child) - before < 16 * MIB
            assert stored_meanwhile(tmp_path) == DEAD
            nginx.put(path, package(*good, server.entry.fields))
            await connected_to(child, server.entry)
            await works(child, origin)
            assert await end(child) == 0
    assert set(stored(tmp_path)) == addresses(known) | addresses(good) | {ALIVE}


def peak_memory(child: Program) -> int:
    """Return the most bytes of memory that a running child has had so far."""
    lines = Path(f"/proc/{child.process.pid}/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) * 1024


async def test_an_older_list_played_back_replaces_what_a_newer_one_said(
    nginx: Storage, authority: Authority, tmp_path: Path
) -> None:
    """That is how lists are meant: storage has the last word. Only lists are signed, and not their dates."""
    path = f"{nginx.prefix()}/server_list_compressed"
    settings = fetching(authority, nginx.url(path))
    async with LoopbackServer(address=ALIVE) as server:
        for version, region in ((5, "SE"), (4, "FI")):
            nginx.put(
                path, package({**server.entry.fields, "configurationVersion": version, "region": region})
            )
            async with client(tmp_path, **settings) as child:
                await connected_to(child, server.entry)
                await child.says("imported 1 server entries from REMOTE")
                assert await end(child) == 0
            entry = stored(tmp_path)[ALIVE]
            assert (entry.configuration_version, entry.region) == (version, region)


# ---- obfuscated lists --------------------------------------------------------------------------------------


async def test_an_obfuscated_list_leads_out_once_the_known_server_is_blocked(
    storage: Storage, authority: Authority, origin: Origin, tmp_path: Path
) -> None:
    """Traffic through the known server earns the key of a list; only that list has the other server."""
    size = 20_000
    now = datetime.now(UTC)
    raw = config_bytes(
        scheme(
            spec(0, "127.0.0.0/8", down=size // 2),
            spec(1, "127.0.0.1/32", down=size // 2),
            spec(2, "192.0.2.0/24", down=1),
            Epoch=(now - timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z"),
            SeedSpecThreshold=2,
            SeedPeriodKeySplits=[{"Total": 2, "Threshold": 1}],
        )
    )
    config_file = tmp_path / "osl.config"
    config_file.write_bytes(raw)
    config = read_osl_config(raw)
    begun = int(now.timestamp()) * 10**9
    times = (begun, begun + HOUR)  # the list of now, and the one that may begin while this runs
    ids = {current_osl_id(config.schemes[0], CHANNEL, moment).hex() for moment in times}
    root = f"{storage.prefix()}/osl"
    settings = {
        "ObfuscatedServerListRootURLs": urls(storage.url(root, host="127.0.0.1")),
        "TrustedCACertificatesFilename": str(authority.file),
        "EmitSLOKs": True,
    }
    own = tmp_path / "server"
    async with (
        LoopbackServer(address=ALIVE) as hidden,
        server_process(own, OSLConfigFilename=str(config_file)) as (_, line),
    ):
        lists = {osl_id: [hidden.entry.encode()] for osl_id in ids}
        for paved in pave(config, CHANNEL, None, begun + HOUR, lists, KEY):
            storage.put(f"{root}/{paved.name}", paved.contents)
        entry = ServerEntry.decode(line)
        async with Censor(entry.ssh_obfuscated_port) as censor:
            known = {**entry.fields, "sshObfuscatedPort": censor.port}
            async with client(tmp_path, EmbeddedServerEntryList=embedded([known]), **settings) as child:
                await connected_to(child, entry)
                await works(child, origin, f"/bytes/{size}", payload(size))
                await child.says("imported 1 server entries from OBFUSCATED")
                assert [data["duplicate"] for data in told(child, "SLOKSeeded")] == [False, False]
                assert len(told(child, "RemoteServerListResourceDownloaded")) == 2  # the registry, a list
                assert warnings(child) == []
                censor.decree(repeat(REFUSE))
                await censor.drop()
                await connected_to(child, hidden.entry)
                await works(child, origin)
                assert await end(child) == 0
    assert stored(tmp_path)[ALIVE].local_source == "OBFUSCATED"


# ---- other misfortunes -------------------------------------------------------------------------------------


async def test_a_second_client_leaves_the_first_ones_directory_alone(tmp_path: Path) -> None:
    with silent() as port:
        known = list(make_entries(1, port=port, capabilities=["OSSH"]))
        known[0]["ipAddress"] = "127.0.0.1"
        settings = {"EmbeddedServerEntryList": embedded(known)}
        async with client(tmp_path, **settings) as first:
            await first.says('"noticeType":"ConnectingServer"')
            async with client(tmp_path, **settings) as second:
                assert await second.process.wait() == 2
                line = await second.says("headrace: ")
            assert f"is in use by process {first.process.pid}; stop that client" in line
            assert "directory of its own" in line
            assert first.process.returncode is None
            assert await end(first) == 0


async def test_killed_amid_an_import_a_client_goes_on_where_it_can(
    nginx: Storage, authority: Authority, origin: Origin, tmp_path: Path
) -> None:
    path = f"{nginx.prefix()}/server_list_compressed"
    async with LoopbackServer(address=ALIVE) as server:
        nginx.put(path, package(*make_entries(MANY, capabilities=["QUIC"]), server.entry.fields))
        settings = fetching(authority, nginx.url(path))
        async with client(tmp_path, **settings) as child:
            await child.says("RemoteServerListResourceDownloaded")
            await asyncio.to_thread(wait_for_entries, tmp_path)
            child.process.kill()
            await child.process.wait()
        assert 0 < stored_meanwhile(tmp_path) < MANY
        async with client(tmp_path, **settings) as child:
            await connected_to(child, server.entry)
            await works(child, origin)
            assert warnings(child) == []
            assert await end(child) == 0
    assert len(stored(tmp_path)) == MANY + 1


def wait_for_entries(directory: Path) -> None:
    """Return as soon as a client has stored some of a list; nothing tells of that but the store."""
    deadline = time.monotonic() + 20
    while not stored_meanwhile(directory):
        assert time.monotonic() < deadline


async def test_ctrl_c_amid_a_stalled_download_ends_the_client(
    nginx: Storage, authority: Authority, tmp_path: Path
) -> None:
    path = f"{nginx.prefix()}/server_list_compressed"
    nginx.put(path, package(*make_entries(100)))
    async with Censor(nginx.port, rules=[Rule(STALL, down=50_000)]) as censor:
        settings = fetching(authority, nginx.url(path, port=censor.port))
        async with client(tmp_path, **settings) as child:
            passage = await censor.connection()
            await passage.struck.wait()
            begun = time.monotonic()
            assert await end(child) == 0
            assert time.monotonic() - begun < 2
    assert (DataDirectory(tmp_path).path / "remote_server_list.part").stat().st_size > 20_000
