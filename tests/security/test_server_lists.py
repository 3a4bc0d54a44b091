"""Attack: give a client the lists one wants it to have, or wear it out with them, or learn who it is.

The attacker runs the storage that lists are fetched from, or stands on the way to it. What it lacks is the
key that lists are signed with; where a test gives it that key, it is to show what survives even then.
"""

import asyncio
import base64
import io
import json
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.memory_network import MemoryServer, Network, settle
from tests.memory_storage import Storage, etag
from tests.osl_configs import CHANNEL, HOUR, osl_config, scheme, spec
from tests.package_keys import KEY, new_key
from tests.unit.client.test_server_lists import Run, addresses, dead, listed
from tests.web_server import Answer, Asked, Then, WebServer, response

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import DocumentError, HeadraceError, NetworkError
from headrace.base.rng import SeededRng
from headrace.client.common_list import CommonList
from headrace.client.data_directory import DataDirectory
from headrace.client.downloads import MAX_SIZE, TIMEOUT, Downloads
from headrace.client.fetcher import RETRY_PERIOD
from headrace.client.list_import import Importer
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.obfuscated_lists import ObfuscatedLists
from headrace.client.server_requests import MAX_SEEDS, MOST_KEYS, ServerRequests
from headrace.crypto.secret_box import seal_box
from headrace.documents.osl.paver import file_spec, pave
from headrace.documents.osl.registry import MAX_ITEM
from headrace.documents.osl.sloks import derive_slok
from headrace.documents.server_list import MAX_LINE, encode_list
from headrace.documents.signed_package import MAX_PACKAGE, make_package
from headrace.documents.transfer_urls import TransferURLs
from headrace.net import http_transport
from headrace.net.http import HttpClient, direct
from headrace.store.client.store import ClientStore
from headrace.testing.entries import address_of, make_entries

assert http_transport  # loaded here: on virtual time there is no waiting for a thread

pytestmark = pytest.mark.virtual_time

LIST = "/bucket/web/abcd-efgh-ijkl/server_list_compressed"
ROOT = "/bucket/web/abcd-efgh-ijkl/osl"
REGISTRY = f"{ROOT}/osl-registry"
OTHER = new_key()
ENTRIES = list(make_entries(3))
KNOWN = {address_of(number) for number in range(3)}
AGENT = "psiphon-tunnel-core/1 (Linux_x86_64)"
MIB = 1 << 20


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def storage(network: Network) -> Storage:
    return Storage(network)


@pytest.fixture
def store() -> Iterator[ClientStore]:
    store = ClientStore.open(None, SYSTEM_CLOCK)
    yield store
    store.close()


@pytest_asyncio.fixture(autouse=True)
async def nothing_left_open(network: Network) -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    await settle()
    assert not asyncio.all_tasks() - before - {asyncio.current_task()}
    assert network.open == []


class Victim:
    """The fetching half of a client, with a store and a directory of its own."""

    def __init__(self, store: ClientStore, directory: Path, storage: Storage) -> None:
        self.store = store
        self.directory = DataDirectory(directory)
        self.directory.make()
        self._stream = io.StringIO()
        notices = Notices(self._stream, SYSTEM_CLOCK, NoticeOptions(diagnostics=True))
        importer = Importer(store, notices, lambda new: None, SYSTEM_CLOCK)
        self.warnings: list[HeadraceError] = []

        def downloads() -> Downloads:
            return Downloads(
                HttpClient(direct),
                store,
                notices,
                lambda: False,
                user_agent=AGENT,
                show_urls=False,
                clock=SYSTEM_CLOCK,
            )

        lists, roots = (TransferURLs.single(storage.url(path)) for path in (LIST, ROOT))
        rng, key = SeededRng(1), KEY.public
        self.common = CommonList(lists, key, self.directory.remote_server_list, downloads(), importer, rng)
        self.obfuscated = ObfuscatedLists(
            roots, key, self.directory, store, downloads(), importer, self.warnings.append, rng
        )
        self._urls = [storage.url(path) for path in (LIST, REGISTRY)]

    @property
    def kept(self) -> list[object]:
        """All that is left of lists: servers, ETags, files."""
        paths = self.directory.path.rglob("*")
        return [
            *addresses(self.store),
            *filter(None, map(self.store.etags.get, self._urls)),
            *(path.name for path in paths if path.is_file() and path.stat().st_size),
        ]

    async def refuses(self, source: CommonList | ObfuscatedLists) -> str:
        """Fetch, which must fail and leave nothing; return why it failed."""
        with pytest.raises(HeadraceError) as caught:
            await source.fetch(0)
        assert self.kept == []
        return str(caught.value)


@pytest.fixture
def victim(store: ClientStore, tmp_path: Path, storage: Storage) -> Victim:
    return Victim(store, tmp_path, storage)


def package(*entries: dict[str, object]) -> bytes:
    return make_package(encode_list(entries), KEY)


# ---- packages that are not what was signed -----------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False], ids=["as it travels", "what is in it"])
async def test_no_changed_bit_gets_through(victim: Victim, storage: Storage, packed: bool) -> None:
    """Change any one bit of a list on its way, or of what is packed in it. What changes nothing may pass."""
    whole = package(*ENTRIES)
    content = whole if packed else zlib.decompress(whole)
    rng = SeededRng("flips")
    unharmed = 0
    for _ in range(1000):
        place = rng.between(0, 8 * len(content) - 1)
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        storage.objects[LIST] = bytes(changed) if packed else zlib.compress(changed)
        try:
            await victim.common.fetch(0)
        except DocumentError:
            assert victim.kept == []
            continue
        unharmed += 1
        for fields in ENTRIES:
            stored = victim.store.entries.get(str(fields["ipAddress"]))
            assert stored is not None
            assert fields.items() <= stored.items()
        for address in addresses(victim.store):
            victim.store.entries.delete(address)
        victim.store.etags.delete(storage.url(LIST))
    assert unharmed < 10


async def test_no_part_of_a_list_gets_through(victim: Victim, storage: Storage) -> None:
    """Pass the beginning of a list off as all of it, or let something follow it."""
    content = package(*ENTRIES)
    step = len(content) // 300
    for size in (*range(0, len(content), step), *range(len(content) - 20, len(content))):
        storage.objects[LIST] = content[:size]
        assert await victim.refuses(victim.common)
    for more in (b"\0", b"\n", content):
        storage.objects[LIST] = content + more
        assert "followed by" in await victim.refuses(victim.common)


def forgeries() -> dict[str, bytes]:
    """Return packages that somebody without the key can make."""
    text = encode_list(ENTRIES)
    good = json.loads(zlib.decompress(make_package(text, KEY)))
    bad = json.loads(zlib.decompress(make_package(text, OTHER)))
    made = {
        "signed by another key": bad,
        "which claims to be ours": {**bad, "signingPublicKeyDigest": good["signingPublicKeyDigest"]},
        "good signature of another text": {**good, "data": encode_list(make_entries(4))},
        "no signature": {**good, "signature": ""},
        "signature of zeros": {**good, "signature": base64.b64encode(bytes(256)).decode()},
    }
    packed = {name: zlib.compress(json.dumps(fields).encode()) for name, fields in made.items()}
    twice = json.dumps(good)[:-1] + f', "data": {json.dumps(bad["data"])}}}'
    return {**packed, "data twice": zlib.compress(twice.encode())}


@pytest.mark.parametrize("name", forgeries())
async def test_no_list_of_anybody_else_gets_through(victim: Victim, storage: Storage, name: str) -> None:
    """Sign a list oneself; put somebody's signature on another text."""
    storage.objects[LIST] = forgeries()[name]
    assert await victim.refuses(victim.common)
    storage.objects[REGISTRY] = forgeries()[name]
    assert await victim.refuses(victim.obfuscated)


# ---- good packages in the wrong place ----------------------------------------------------------------------


class Lists:
    """Three obfuscated lists with a server each; `sloks` has the key of each of them."""

    def __init__(self, **changes: Any) -> None:
        self.config = osl_config(scheme(spec(), **changes))
        (self.scheme,) = self.config.schemes
        self.starts = [self.scheme.start + number * HOUR for number in range(3)]
        specs = [file_spec(self.scheme, CHANNEL, start) for start in self.starts]
        self.keys = [key for key, _ in specs]
        self.paths = [f"{ROOT}/osl-{told.id.hex()}" for _, told in specs]
        self.sloks = [
            derive_slok(self.scheme.master_key, CHANNEL, self.scheme.seed_specs[0].id, start)
            for start in self.starts
        ]

    def files(self, *, seed: int = 1) -> dict[str, bytes]:
        """Return what the publisher puts on storage; another `seed` gives another edition."""
        entries = {
            path[-64:]: [encode_list(make_entries(1, first=number, seed=seed))]
            for number, path in enumerate(self.paths)
        }
        paved = pave(self.config, CHANNEL, None, self.starts[-1], entries, KEY)
        return {f"{ROOT}/{file.name}": file.contents for file in paved}

    def earned(self, store: ClientStore) -> None:
        """Give a client the key of each list."""
        store.sloks.add([(slok.id, slok.key) for slok in self.sloks])


async def test_a_registry_is_no_list_and_a_list_no_registry(victim: Victim, storage: Storage) -> None:
    """Serve one signed file in the place of another. What it is for is not in the signature."""
    lists = Lists()
    lists.earned(victim.store)
    files = lists.files()
    storage.objects |= files
    storage.objects[LIST] = files[REGISTRY]
    assert "line 1" in await victim.refuses(victim.common)
    storage.objects[REGISTRY] = package(*ENTRIES)
    assert "registry" in await victim.refuses(victim.obfuscated)
    storage.objects[LIST] = files[lists.paths[0]]
    assert "zlib" in await victim.refuses(victim.common)


async def test_an_insider_can_publish_what_an_obfuscated_list_had(victim: Victim, storage: Storage) -> None:
    """Earn a list's key, open it, and serve what was in it as the common list. It is a signed list.

    This is known and left open: who has earned the key knows these servers anyway, and could tell anybody.
    """
    storage.objects[LIST] = package(*ENTRIES)  # as it comes out of the box
    await victim.common.fetch(0)
    assert addresses(victim.store) == KNOWN


async def test_one_obfuscated_list_is_not_taken_for_another(victim: Victim, storage: Storage) -> None:
    """Swap the files of two lists. Each opens with its own key only; the third comes through meanwhile."""
    lists = Lists()
    lists.earned(victim.store)
    files = lists.files()
    first, second, _ = lists.paths
    storage.objects |= files | {first: files[second], second: files[first]}
    with pytest.raises(DocumentError):
        await victim.obfuscated.fetch(0)
    assert len(victim.warnings) == 1
    assert addresses(victim.store) == {address_of(2)}
    assert not any(victim.store.etags.get(storage.url(path)) for path in (first, second))
    storage.objects |= files
    await victim.obfuscated.fetch(0)
    assert addresses(victim.store) == KNOWN
    assert victim.kept[-1:] == ["osl-registry.cached"]


async def test_an_old_list_is_believed_until_the_new_one_comes(victim: Victim, storage: Storage) -> None:
    """Play back a list from last year. Nothing in it says how old it is: it counts, and so does the next."""
    old, new = (
        [{**fields, "region": region, "configurationVersion": version} for fields in ENTRIES]
        for version, region in ((1, "FI"), (9, "SE"))
    )
    for entries in (new, old, new):
        storage.objects[LIST] = package(*entries)
        await victim.common.fetch(0)
        assert victim.store.entries.regions() == [entries[0]["region"]]


async def test_an_old_list_can_pass_for_the_new_one_until_the_next(victim: Victim, storage: Storage) -> None:
    """Play back an old list under the ETag of the new one, once; be honest ever after.

    This is known and left open: the ETag is all that a client has to tell one common list from the next.
    """
    old, new, next_one = (package({**ENTRIES[0], "region": region}) for region in ("FI", "SE", "NL"))
    honest = storage.answer
    storage.objects[LIST] = new
    storage.answer = lambda path, headers: (206, {"ETag": etag(new)}, old)  # type: ignore[method-assign]
    for answer, content, region in (
        (storage.answer, new, "FI"),
        (honest, new, "FI"),
        (honest, next_one, "NL"),
    ):
        storage.answer = answer  # type: ignore[method-assign]
        storage.objects[LIST] = content
        await victim.common.fetch(0)
        assert victim.store.entries.regions() == [region]


async def test_an_old_obfuscated_list_does_not_pass_for_the_new_one(victim: Victim, storage: Storage) -> None:
    """Play back a list's last edition under the ETag of the new one, once; be honest ever after.

    The registry is signed and has the sum of the new edition: the old one is used, and not taken for it.
    """
    lists = Lists()
    lists.earned(victim.store)
    old, new = lists.files(seed=1), lists.files(seed=2)
    honest = storage.answer

    def lying(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if path == lists.paths[0]:
            return 206, {"ETag": etag(new[path])}, old[path]
        return honest(path, headers)

    storage.objects |= new
    storage.answer = lying  # type: ignore[method-assign]
    await victim.obfuscated.fetch(0)
    address = address_of(0)
    fields = victim.store.entries.get(address)
    assert fields is not None
    assert fields["sshPassword"] == next(make_entries(1, seed=1))["sshPassword"]
    storage.answer = honest  # type: ignore[method-assign]
    await victim.obfuscated.fetch(0)
    fields = victim.store.entries.get(address)
    assert fields is not None
    assert fields["sshPassword"] == next(make_entries(1, seed=2))["sshPassword"]


async def test_what_is_sent_again_is_not_used_again(victim: Victim, storage: Storage) -> None:
    """Send a list that the client says it has, under the same ETag: whatever it is, it goes."""
    storage.objects[LIST] = package(*ENTRIES)
    await victim.common.fetch(0)
    tag = etag(storage.objects[LIST])
    again = package(*make_entries(9))
    storage.answer = lambda path, headers: (206, {"ETag": tag}, again)  # type: ignore[method-assign]
    await victim.common.fetch(0)
    assert victim.kept == [*addresses(victim.store), tag]
    assert addresses(victim.store) == KNOWN


# ---- registries and lists made to hurt ---------------------------------------------------------------------

_ID, _BOX = (base64.b64encode(bytes(size)).decode() for size in (32, 48))


def _leaf(**changes: object) -> dict[str, Any]:
    return {"Threshold": 1, "BoxedShares": [_BOX], "SLOKIDs": [_ID], "KeyShares": None, **changes}


def _nested(depth: int) -> dict[str, Any]:
    shares = _leaf()
    for _ in range(depth):
        shares = {"Threshold": 1, "BoxedShares": [_BOX], "SLOKIDs": None, "KeyShares": [shares]}
    return shares


def _listed(*items: object) -> str:
    return json.dumps({"FileSpecs": items})


def _item(shares: object, **changes: object) -> dict[str, object]:
    return {"ID": _ID, "KeyShares": shares, "MD5Sum": None, **changes}


def _short(size: int) -> str:
    return base64.b64encode(bytes(size)).decode()


HOSTILE_REGISTRIES: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "null": lambda: '{"FileSpecs": null}',
    "cut": lambda: _listed(_item(_leaf()))[:-2],
    "more behind it": lambda: _listed(_item(_leaf())) + "{}",
    "ID of 31 bytes": lambda: _listed(_item(_leaf(), ID=_short(31))),
    "ID of a megabyte": lambda: _listed(_item(_leaf(), ID=_short(MIB))),
    "sum of 15 bytes": lambda: _listed(_item(_leaf(), MD5Sum=_short(15))),
    "no shares": lambda: _listed(_item(None)),
    "shares without holders": lambda: _listed(_item(_leaf(SLOKIDs=[]))),
    "holders without shares": lambda: _listed(_item(_leaf(BoxedShares=None))),
    "holders of both kinds": lambda: _listed(_item(_leaf(KeyShares=[_leaf()]))),
    "300 shares": lambda: _listed(_item(_leaf(BoxedShares=[_BOX] * 300, SLOKIDs=[_ID] * 300))),
    "threshold 0": lambda: _listed(_item(_leaf(Threshold=0))),
    "threshold below 0": lambda: _listed(_item(_leaf(Threshold=-1))),
    "threshold of 5,000 digits": lambda: _listed(_item(_leaf())).replace(": 1,", f": {'9' * 5000},"),
    "threshold no number": lambda: _listed(_item(_leaf(Threshold="1"))),
    "the same list twice": lambda: _listed(_item(_leaf()), _item(_leaf())),
    "40 levels": lambda: _listed(_item(_nested(40))),
    "100,000 levels": lambda: '{"FileSpecs": [' + '{"KeyShares":[' * 100_000,
    "an endless string": lambda: '{"FileSpecs": [{"ID": "' + "A" * (MAX_ITEM + MIB),
    "an endless list": lambda: '{"FileSpecs": [{"KeyShares": [' + "0," * MAX_ITEM,
}


@pytest.mark.parametrize("name", HOSTILE_REGISTRIES)
async def test_registries_made_to_hurt(victim: Victim, storage: Storage, name: str) -> None:
    """Have the key of lists, and sign a registry of impossible sizes. It ends soon, and leaves nothing."""
    victim.store.sloks.add([(bytes(32), bytes(32))])
    storage.objects[REGISTRY] = signed_registry(HOSTILE_REGISTRIES[name]())
    begun = time.monotonic()
    assert await victim.refuses(victim.obfuscated)
    assert time.monotonic() - begun < 5  # a fraction of a second when nothing else runs
    assert storage.paths == [REGISTRY]


def signed_registry(text: str) -> bytes:
    return make_package(base64.b64encode(text.encode()).decode(), KEY)


@pytest.mark.parametrize(
    "shares",
    [
        _leaf(BoxedShares=[""]),
        _leaf(),
        _leaf(BoxedShares=[base64.b64encode(seal_box(bytes(32), b"")).decode()]),
        _leaf(Threshold=2, BoxedShares=[_BOX] * 2, SLOKIDs=[_ID] * 2),
        _nested(3),
    ],
    ids=["empty box", "box of nonsense", "box of nothing", "one key twice", "nested"],
)
async def test_shares_that_are_worth_nothing(
    victim: Victim, storage: Storage, shares: dict[str, Any]
) -> None:
    """Have the key of lists, and sign a registry in good shape that promises keys it does not have."""
    victim.store.sloks.add([(bytes(32), bytes(32))])
    storage.objects[REGISTRY] = signed_registry(_listed(_item(shares)))
    path = f"{ROOT}/osl-{'00' * 32}"
    storage.objects[path] = seal_box(bytes(32), package(*ENTRIES))
    with pytest.raises(DocumentError):
        await victim.obfuscated.fetch(0)
    assert victim.kept == [etag(storage.objects[REGISTRY]), "osl-registry.cached"]
    assert victim.store.etags.get(storage.url(path)) == ""


async def test_a_threshold_that_nobody_can_reach(victim: Victim, storage: Storage) -> None:
    """Have the key of lists, and sign a registry that asks for more keys than there are. It opens nothing."""
    victim.store.sloks.add([(bytes(32), bytes(32))])
    storage.objects[REGISTRY] = signed_registry(_listed(_item(_leaf(Threshold=10**40))))
    await victim.obfuscated.fetch(0)
    assert storage.paths == [REGISTRY]


async def test_a_megabyte_that_becomes_a_gigabyte(victim: Victim, storage: Storage) -> None:
    """Send a small package that inflates without end; seal one with the key of an obfuscated list, too."""
    packer = zlib.compressobj(1)
    bomb = packer.compress(b'{"data":"')
    bomb += b"".join(packer.compress(b"0" * MIB) for _ in range(MAX_PACKAGE // MIB + 8)) + packer.flush()
    assert len(bomb) < MIB
    lists = Lists()
    lists.earned(victim.store)
    storage.objects |= lists.files()
    storage.objects[LIST] = bomb
    storage.objects[lists.paths[0]] = seal_box(lists.keys[0], bomb)
    tracemalloc.start()
    try:
        assert "too large" in await victim.refuses(victim.common)
        with pytest.raises(DocumentError, match="too large"):
            await victim.obfuscated.fetch(0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MIB
    assert addresses(victim.store) == KNOWN - {address_of(0)}


async def test_nothing_is_unpacked_but_by_us(victim: Victim, network: Network, storage: Storage) -> None:
    """Say that the list is compressed for the way, and have it unpacked before anybody looks at it."""
    body = zlib.compress(package(*ENTRIES))
    head = response(206, body, [("Content-Encoding", "deflate"), ("ETag", '"1"')])
    network.places[storage.host, storage.port] = WebServer(lambda asked: Answer(head, Then.CLOSE))
    assert "not a package" in await victim.refuses(victim.common)


class Flood(asyncio.Protocol):
    """Answers with a body that has no end: as fast as it is taken, or a byte a second."""

    sent = 0
    fast = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._tcp: Any = transport
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._tcp.write(b'HTTP/1.1 206 OK\r\nETag: "1"\r\nTransfer-Encoding: chunked\r\n\r\n')
        self._go_on()

    def _go_on(self) -> None:
        if self._tcp.is_closing():
            return
        if len(self._tcp._line) < MIB:  # the other side keeps up
            size = MIB if self.fast else 1
            self._tcp.write(b"%x\r\n%s\r\n" % (size, bytes(size)))
            self._tcp.written.clear()
            Flood.sent += size
        if self.fast:
            self._loop.call_soon(self._go_on)
        else:
            self._loop.call_later(1, self._go_on)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has no end but this."""


async def test_a_body_without_end(
    victim: Victim, network: Network, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Send and send. There is a size no list has; what came is thrown away."""
    monkeypatch.setattr(Flood, "sent", 0)
    network.places[storage.host, storage.port] = Flood
    assert "larger than" in await victim.refuses(victim.common)
    assert Flood.sent < MAX_SIZE + 8 * MIB


async def test_a_body_that_never_gets_there(
    victim: Victim, network: Network, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Send a byte a second, so that the client waits for ever. An attempt has its time, and no more."""
    monkeypatch.setattr(Flood, "fast", False)
    network.places[storage.host, storage.port] = Flood
    begun = asyncio.get_running_loop().time()
    with pytest.raises(NetworkError, match="not complete within"):
        await victim.common.fetch(0)
    assert asyncio.get_running_loop().time() - begun == pytest.approx(TIMEOUT)
    assert addresses(victim.store) == set()


async def test_a_beginning_of_the_attackers_is_got_rid_of(victim: Victim, storage: Storage) -> None:
    """Send the beginning of something else under the true ETag, and cut: the rest comes from true storage."""
    content = storage.objects[LIST] = package(*ENTRIES)
    honest = storage.answer

    def lying(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        status, fields, body = honest(path, headers)
        return status, fields, bytes(len(body))

    storage.answer = lying  # type: ignore[method-assign]
    storage.cut = lambda: len(content) // 2
    with pytest.raises(NetworkError):
        await victim.common.fetch(0)
    storage.answer = honest  # type: ignore[method-assign]
    storage.cut = lambda: None
    assert "not a package" in await victim.refuses(victim.common)
    await victim.common.fetch(0)
    assert addresses(victim.store) == KNOWN


# ---- leading elsewhere -------------------------------------------------------------------------------------


def redirecting(*locations: str) -> Callable[[Asked], Answer]:
    turns = iter(locations)
    return lambda asked: Answer(response(302, b"", [("Location", next(turns))]), Then.CLOSE)


@pytest.mark.parametrize(
    "location", ["ftp://elsewhere.example/", "file:///etc/passwd", "http://me:secret@elsewhere.example/"]
)
async def test_no_redirection_leads_to_anything_but_http(
    victim: Victim, network: Network, storage: Storage, location: str
) -> None:
    """Redirect to a file of the client's machine, or to what is not fetched with HTTP."""
    network.places[storage.host, storage.port] = WebServer(redirecting(location))
    assert "redirects" in await victim.refuses(victim.common)
    assert set(network.dialled) == {(storage.host, storage.port)}


async def test_a_redirection_brings_nothing_that_is_not_signed(
    victim: Victim, network: Network, storage: Storage
) -> None:
    """Redirect to another host. It may serve the list, as anybody may; it is told no more than the first.

    It may be one in the client's own network: that hears a GET which names nothing but the path, and its
    answer goes nowhere. Behind https only https follows, so that certificates are needed there, too.
    """
    inside = WebServer(lambda asked: Answer(response(200, b"<html>router</html>"), Then.CLOSE))
    network.places["192.168.1.1", 80] = inside
    network.places[storage.host, storage.port] = WebServer(redirecting("http://192.168.1.1/reboot"))
    assert "not a package" in await victim.refuses(victim.common)
    (asked,) = inside.asked
    assert {name.lower() for name, _ in asked.headers} == {"host", "user-agent", "range"}


async def test_redirections_without_end(victim: Victim, network: Network, storage: Storage) -> None:
    """Redirect in a circle."""
    network.places[storage.host, storage.port] = WebServer(
        lambda asked: Answer(response(302, b"", [("Location", LIST)]))
    )
    assert "again and again" in await victim.refuses(victim.common)
    assert len(network.dialled) <= 6


# ---- entries made to hurt ----------------------------------------------------------------------------------


async def test_entries_that_lead_home(
    network: Network, storage: Storage, store: ClientStore, tmp_path: Path
) -> None:
    """Have the key of lists, and list the client's own machine and network as servers.

    They are dialled like any server: who signs lists is trusted that far, and networks of one's own for
    tests live there. What they hear is a preamble nobody but a server can read, and nothing comes of it.
    """
    places = ["127.0.0.1", "192.168.1.1", "10.0.0.1", "169.254.169.254", "::1"]
    heard: list[_Listener] = []

    def listener() -> _Listener:
        heard.append(_Listener())
        return heard[-1]

    network.places |= {(place, 22): listener for place in places}
    home = [
        {**fields, "ipAddress": place, "sshObfuscatedPort": 22, "capabilities": ["OSSH"]}
        for fields, place in zip(make_entries(len(places)), places, strict=True)
    ]
    storage.objects[LIST] = package(*home)
    run = Run(store, tmp_path, KEY, RemoteServerListURLs=listed(storage.url(LIST)))
    await asyncio.sleep(60)
    assert {host for host, port in network.dialled if port == 22} == set(places)
    assert not any(listener.heard.startswith((b"SSH-", b"POST ", b"GET ")) for listener in heard)
    assert not run.controller.connected.is_set()
    await run.stop()


class _Listener(asyncio.Protocol):
    """Keeps what is said, and answers in a way that no server would."""

    def __init__(self) -> None:
        self.heard = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._tcp = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self._tcp.write(b"220 welcome\r\n")
        self._tcp.close()


async def test_entries_of_absurd_sizes(
    network: Network, storage: Storage, store: ClientStore, tmp_path: Path
) -> None:
    """Have the key of lists, and sign entries no client can use. The one that can be is found among them."""
    (tmp_path / "server").mkdir()
    server = MemoryServer(network, tmp_path / "server")
    base = next(make_entries(1, capabilities=["OSSH"]))
    room = (MAX_LINE - len(encode_list([base]))) // 2 - 1000
    deep: object = 0
    for _ in range(60):
        deep = [deep]
    absurd: list[dict[str, object]] = [
        {"sshObfuscatedPort": 65_536},
        {"sshObfuscatedPort": -1},
        {"sshObfuscatedPort": 1e300},
        {"sshObfuscatedPort": 0},
        {"configurationVersion": 2**31 - 1},
        {"configurationVersion": 1e300},
        {"configurationVersion": "9"},
        {"sshObfuscatedKey": "k" * room},
        {"sshHostKey": "!" * room},
        {"capabilities": ["OSSH"] * (room // 8)},
        {"capabilities": {"OSSH": True}},
        {"region": "X" * room},
        {"tag": "t" * room},
        {"signature": "s" * room},
        {"unknown": "u" * room},
        {"unknown": deep},
        {"limitQUICVersions": ["v"] * (room // 8)},
        {"meekFrontingAddressesRegex": "(a*)*" * (room // 8)},
    ]
    entries = [{**base, "ipAddress": address_of(number), **change} for number, change in enumerate(absurd)]
    storage.objects[LIST] = package(*entries, dict(server.entry.fields))
    run = await Run(store, tmp_path, KEY, RemoteServerListURLs=listed(storage.url(LIST))).connected()
    assert run.took < 60
    assert run.warnings() == []
    await run.stop()


@pytest.mark.parametrize(
    "line",
    ["30 " * 30_000, "", "zz", (b"0 0 0 0 " + b'{"a":' * 6000).hex(), (b"0 0 0 0 " + b"[" * 30_000).hex()],
    ids=["too long", "empty", "not hexadecimal", "deep", "deeper"],
)
async def test_lines_that_are_no_entries(victim: Victim, storage: Storage, line: str) -> None:
    """Have the key of lists, and sign what is no list from some line on."""
    storage.objects[LIST] = make_package(f"{encode_list(ENTRIES)}\n{line}\n00", KEY)
    with pytest.raises(DocumentError, match="line 4"):
        await victim.common.fetch(0)
    assert set(victim.kept) == KNOWN  # fetched again next time


async def test_an_unusable_address_is_never_stored(victim: Victim, storage: Storage) -> None:
    """Have the key of lists, and put something else in the place of addresses."""
    addresses_ = [
        "localhost",
        "1.2.3.4/8",
        "01.2.3.4",
        "fe80::1%eth0",
        "1.2.3.4 ",
        "",
        16909060,
        None,
        ["::1"],
    ]
    entries = [{**ENTRIES[0], "ipAddress": address} for address in addresses_]
    storage.objects[LIST] = package(*entries, *ENTRIES)
    await victim.common.fetch(0)
    assert addresses(victim.store) == KNOWN


# ---- keys without end --------------------------------------------------------------------------------------


async def test_a_server_cannot_fill_the_disk_with_keys(store: ClientStore) -> None:
    """Run a server, and hand each client keys for obfuscated lists as long as it is connected."""
    notices = Notices(io.StringIO(), SYSTEM_CLOCK)
    woken: list[int] = []
    requests = ServerRequests(notices, store, lambda: woken.append(store.sloks.count()))
    per_request = MAX_SEEDS // 120
    for number in range(MOST_KEYS // per_request + 3):
        sloks = [
            {"ID": _key(number * per_request + index), "Key": _key(index)} for index in range(per_request)
        ]
        payload = json.dumps({"seed_payload": {"SLOKs": sloks}}).encode()
        assert requests.answer(b"psiphon-osl", memoryview(payload)) == b""
    assert store.sloks.count() == MOST_KEYS
    before = len(woken)
    assert requests.answer(b"psiphon-osl", memoryview(payload)) == b""
    assert len(woken) == before


def _key(number: int) -> str:
    return base64.b64encode(number.to_bytes(32, "big")).decode()


# ---- learning who it is ------------------------------------------------------------------------------------


async def test_storage_hears_nothing_that_tells_clients_apart(
    network: Network, storage: Storage, store: ClientStore, tmp_path: Path
) -> None:
    """Run the storage; set cookies, cut, change and move the list, and read all that clients say."""
    honest = storage.answer

    def curious(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        status, fields, body = honest(path, headers)
        return status, {**fields, "Set-Cookie": "id=1; Max-Age=99999999", "Vary": "*", "X-Id": "1"}, body

    storage.answer = curious  # type: ignore[method-assign]
    lists = Lists()
    lists.earned(store)
    storage.objects |= lists.files()
    content = storage.objects[LIST] = package(*make_entries(20, capabilities=["QUIC"]))
    cuts = iter([len(content) // 2, None, 100, None, 10])
    storage.cut = lambda: next(cuts, None)
    for _ in range(2):
        run = Run(
            store,
            tmp_path,
            KEY,
            RemoteServerListURLs=listed(storage.url(LIST)),
            ObfuscatedServerListRootURLs=listed(storage.url(ROOT)),
        )
        await asyncio.sleep(5 * RETRY_PERIOD)
        await run.stop()
    requests = storage.requests
    assert set(storage.paths) == {LIST, REGISTRY, *lists.paths}
    names = {name for request in requests for name in request.headers}
    assert names == {"host", "user-agent", "range", "if-match", "if-none-match"}
    agents = {request.headers["user-agent"] for request in requests}
    assert agents == {f"psiphon-tunnel-core/0 ({run.controller._shared.identity.platform})"}
    assert {request.headers["host"] for request in requests} <= {storage.host, f"{storage.host}:80"}
    given = {etag(content) for content in storage.objects.values()}
    sent = [request.headers.get(name) for request in requests for name in ("if-match", "if-none-match")]
    assert set(sent) - {None} <= given  # storage's own words, which could be one for each client


@pytest.mark.parametrize("asked_for", [False, True])
async def test_notices_do_not_tell_where_lists_and_servers_are(
    network: Network, storage: Storage, store: ClientStore, tmp_path: Path, asked_for: bool
) -> None:
    """Get hold of what a client has told, with diagnostics, through all that can go wrong with lists."""
    lists = Lists()
    lists.earned(store)
    storage.objects |= lists.files()
    storage.objects[lists.paths[0]] = b"nonsense"
    answers = [b"nonsense", make_package("", OTHER), package(*ENTRIES)[:-9], make_package("nonsense", KEY)]
    locations = ["http://redirected.example/", "ftp://redirected.example/"]
    run = Run(
        store,
        tmp_path,
        KEY,
        known=dead(3, network),
        RemoteServerListURLs=listed(storage.url(LIST)),
        ObfuscatedServerListRootURLs=listed(storage.url(ROOT)),
        EstablishTunnelTimeoutSeconds=0,
        EmitDiagnosticNetworkParameters=asked_for,
    )
    for answer in answers:
        storage.objects[LIST] = answer
        await asyncio.sleep(60 + RETRY_PERIOD)
    place = network.places[storage.host, storage.port]
    for location in locations:
        network.places[storage.host, storage.port] = WebServer(redirecting(*[location] * 99))
        await asyncio.sleep(2 * RETRY_PERIOD)
    network.places[storage.host, storage.port] = place
    storage.objects[LIST] = package(*ENTRIES)
    await asyncio.sleep(2 * RETRY_PERIOD)
    await run.stop()
    assert len(run.warnings()) > 8
    text = json.dumps(run.notices)
    servers = {str(fields["ipAddress"]) for fields in (*ENTRIES, *dead(3, network))}
    secrets = [
        KEY.public.to_text(),
        KEY.digest,
        *(str(fields["sshPassword"]) for fields in ENTRIES),
        *(base64.b64encode(part).decode() for slok in lists.sloks for part in (slok.id, slok.key)),
        *(key.hex() for key in lists.keys),
    ]
    for never in (*servers, *secrets):
        assert never not in text
    for hidden in (storage.host, "redirected", "server_list_compressed", "abcd-efgh", lists.paths[1][-64:]):
        assert hidden not in text or asked_for
    assert (storage.url(LIST) in text) == asked_for
