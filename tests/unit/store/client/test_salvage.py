"""Out of a damaged file into a new one, whatever is damaged and whenever the process is killed."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.store_contents import SetClock

from headrace.base.rng import SeededRng
from headrace.store.client import salvage
from headrace.store.client.store import FILE_NAME, ClientStore
from headrace.testing.entries import address_of, make_entries

LOCAL = {"localSource": "REMOTE", "localTimestamp": "2023-01-01T00:00:00Z"}
ENTRIES = 120
Damage = Callable[[bytearray, random.Random], None]


def page_of(content: bytearray, chance: random.Random) -> slice:
    start = chance.randrange(len(content)) // 4096 * 4096
    return slice(start, min(start + 4096, len(content)))


def flip(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def flip_many(content: bytearray, chance: random.Random) -> None:
    for _ in range(50):
        flip(content, chance)


def flip_head(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(min(4096, len(content)))] ^= 1 << chance.randrange(8)


def truncate(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def zero(content: bytearray, chance: random.Random) -> None:
    page = page_of(content, chance)
    content[page] = bytes(page.stop - page.start)


def overwrite(content: bytearray, chance: random.Random) -> None:
    page = page_of(content, chance)
    content[page] = chance.randbytes(page.stop - page.start)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`closed`, a store, and `killed`, the same with changes in the log."""
    root = tmp_path_factory.mktemp("stores")
    with closing(ClientStore.open(root / "closed", SetClock())) as store:
        entries = (fields | LOCAL for fields in make_entries(ENTRIES))
        for _ in store.entries.import_entries(entries, replace=True):
            pass
        store.sloks.add((bytes([number]) * 16, bytes(32)) for number in range(40))
        store.values.set("key", "value")
        store.etags.set("url", "etag")
        for number in range(40):
            store.dial_parameters.put(address_of(number), "WIFI", bytes(100))
            store.statistics.add("tunnel", b"%d" % number)
    shutil.copytree(root / "closed", root / "open")
    with closing(ClientStore.open(root / "open", SetClock())) as store:
        for fields in make_entries(20, first=ENTRIES - 10):
            store.entries.store(fields | LOCAL, replace=True)
        shutil.copytree(root / "open", root / "killed")
    return root


@pytest.mark.parametrize("harm", [flip, flip_many, flip_head, truncate, zero, overwrite])
@pytest.mark.parametrize(
    ("state", "suffix"), [("closed", ""), ("killed", ""), ("killed", "-wal"), ("killed", "-shm")]
)
def test_any_damage(
    stores: Path, tmp_path: Path, state: str, suffix: str, harm: Damage, told: list[str]
) -> None:
    for number in range(8):
        directory = tmp_path / str(number)
        shutil.copytree(stores / state, directory)
        path = directory / f"{FILE_NAME}{suffix}"
        content = bytearray(path.read_bytes())
        harm(content, random.Random(f"{state} {suffix} {harm.__name__} {number}"))
        path.write_bytes(content)
        told.clear()
        kept = use(directory, told)
        lost = ENTRIES + (10 if state == "killed" else 0) - kept
        # The end of a log is like one that a kill kept from being written.
        unseen = suffix == "-wal" and (harm is truncate or lost == 1)
        if lost and not unseen:
            assert told, f"{lost} entries lost, and nothing said"
        if harm is flip and not suffix:
            assert lost < 10 or lost == ENTRIES  # a page, or the table's root
        shutil.rmtree(directory)


def use(directory: Path, told: list[str]) -> int:
    """Do everything with a store; return how many entries could be loaded at first."""
    with closing(ClientStore.open(directory, SetClock(), notify=told.append)) as store:
        if store._database._file._check:
            store._database._file._check.join()
        kept = sum(
            store.entries.load(address, None) is not None for address in store.entries.addresses(SeededRng(1))
        )
        for region in store.entries.regions():
            assert list(store.entries.addresses(SeededRng(1), region=region))
        for number in range(40):
            store.sloks.get(bytes([number]) * 16)
            store.entries.by_tag(str(number))
        store.statistics.take("tunnel", 10**6)
        store.dial_parameters.addresses("WIFI")
        for fields in make_entries(3, first=1000):
            assert store.entries.store(fields | LOCAL, replace=True)
            assert store.entries.prune(str(fields["tag"]), 0)
            assert store.entries.store(fields | LOCAL, replace=True)
        store.values.set("key", "newer")
        store.etags.set("url", "newer")
        store.dial_parameters.put("192.0.2.1", "MOBILE", b"parameters")
        store.sloks.add([(b"new", b"key")])
        assert store.statistics.add("list", b"record")
    already = len(told)
    with closing(ClientStore.open(directory, SetClock(), notify=told.append)) as store:
        assert [store.entries.get(address_of(number)) is not None for number in range(1000, 1003)] == [
            True
        ] * 3
        assert (store.values.get("key"), store.etags.get("url")) == ("newer", "newer")
        assert store.sloks.get(b"new") == b"key"
        assert store.dial_parameters.addresses("MOBILE") == ["192.0.2.1"]
        assert store.statistics.take("list", 100) == [b"record"]
    assert told[already:] == [], "well again"
    return kept


def test_everything_readable_comes_along_unchanged(stores: Path, tmp_path: Path) -> None:
    directory = shutil.copytree(stores / "closed", tmp_path / "store")
    path = directory / FILE_NAME
    with sqlite3.connect(path) as before:
        expected = list(before.iterdump())
    before.close()
    assert salvage.rebuild(path) == ENTRIES
    with sqlite3.connect(path) as after:
        assert list(after.iterdump()) == expected
    after.close()
    assert Path(f"{path}.damaged").exists()


def test_a_process_killed_while_salvaging_goes_on_the_next_time(stores: Path, tmp_path: Path) -> None:
    directory = shutil.copytree(stores / "closed", tmp_path / "store")
    path, fresh = directory / FILE_NAME, directory / f"{FILE_NAME}.salvaged"

    fresh.write_bytes(b"half of it")  # killed in step 1
    content = bytearray(path.read_bytes())
    content[:4096] = bytes(4096)
    path.write_bytes(content)
    with closing(ClientStore.open(directory, SetClock())) as store:
        assert store.entries.count() == ENTRIES
    assert not fresh.exists()

    path.rename(fresh)  # killed after step 2
    with closing(ClientStore.open(directory, SetClock())) as store:
        assert store.entries.count() == ENTRIES
    assert not fresh.exists()


def test_without_room_the_damaged_file_stays(
    stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = shutil.copytree(stores / "closed", tmp_path / "store")
    path = directory / FILE_NAME
    before = path.read_bytes()

    def no_room(*arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(salvage, "_copy", no_room)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        salvage.rebuild(path)
    assert path.read_bytes() == before
    assert not list(directory.glob("*.salvaged*"))


def test_entries_that_are_no_longer_whole_are_left_behind(stores: Path, tmp_path: Path) -> None:
    directory = shutil.copytree(stores / "closed", tmp_path / "store")
    with sqlite3.connect(directory / FILE_NAME) as file:
        file.execute("UPDATE entry SET fields = substr(fields, 2) WHERE id = 1")
        file.execute("UPDATE entry SET address = '192.0.2.1' WHERE id = 2")
        file.execute("UPDATE entry SET fields = replace(fields, 'REMOTE', 'NOWHERE') WHERE id = 3")
        file.execute("UPDATE entry SET version = 'many' WHERE id = 4")
    file.close()
    assert salvage.rebuild(directory / FILE_NAME) == ENTRIES - 4
