"""What happens to the file, and what the store makes of it."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.store_contents import SetClock

from headrace.base.errors import LocalProtocolError
from headrace.base.rng import SeededRng
from headrace.store.client import salvage, store_file
from headrace.store.client.importing import Progress
from headrace.store.client.store import FILE_NAME, ClientStore
from headrace.testing.entries import address_of, make_entries

LOCAL = {"localSource": "REMOTE", "localTimestamp": "2023-01-01T00:00:00Z"}
FULL = "the client store cannot be written (database or disk is full); the client goes on without"


def entries(count: int, first: int = 0) -> Iterator[dict[str, object]]:
    return (fields | LOCAL for fields in make_entries(count, first=first))


def fill(store: ClientStore, count: int, first: int = 0) -> Progress:
    *_, progress = store.entries.import_entries(entries(count, first), replace=True)
    return progress


def readable(store: ClientStore) -> int:
    addresses = store.entries.addresses(SeededRng(1))
    return sum(store.entries.load(address, None) is not None for address in addresses)


# ---- outages


def test_a_full_disk(store: ClientStore, told: list[str]) -> None:
    fill(store, 50)
    (pages,) = store._database.column(int, "PRAGMA page_count")
    store._database.column(int, f"PRAGMA max_page_count = {pages + 20}")
    progress = fill(store, 300, first=50)
    assert progress.written < 50
    assert progress.written + progress.dropped == 300
    assert store.sloks.add([(bytes([number]), bytes(8000)) for number in range(50)]) == 0
    assert told == [FULL], "once"
    assert readable(store) == 50 + progress.written, "reads go on"

    store._database.column(int, "PRAGMA max_page_count = 1000000")
    assert fill(store, 300, first=50) == Progress(300, 300)
    assert told == [FULL, "the client store can be written again"]
    assert readable(store) == 350


def test_a_lock_of_another_program(store: ClientStore, told: list[str], tmp_path: Path) -> None:
    store._database.execute("PRAGMA busy_timeout = 1")
    store.values.set("key", "before")
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            store.values.set("key", "dropped")
        assert store.values.get("key") == "before"
        assert store.statistics.take("tunnel", 100) == []
    assert told == ["the client store cannot be written (database is locked); the client goes on without"]
    for number in range(3):
        store.values.set("key", str(number))
    assert store.values.get("key") == "2"
    assert told[1:] == ["the client store can be written again"]


def test_an_almost_full_disk_is_not_told_time_and_again(
    store: ClientStore, told: list[str], tmp_path: Path
) -> None:
    store._database.execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
        for _ in range(5):
            other.execute("BEGIN IMMEDIATE")
            store.values.set("key", "dropped")
            other.execute("ROLLBACK")
            store.values.set("key", "kept")
    assert len(told) == 1


def test_reading_can_fail_too(store: ClientStore, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, 3)

    def broken(*arguments: object) -> str | None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
        raise error

    monkeypatch.setattr(store._database, "value", broken)
    assert store.entries.get(address_of(1)) is None
    assert store.entries.load(address_of(1), None) is None
    assert list(store.entries.addresses(SeededRng(1))) == []
    assert store.entries.count() == 0
    assert told == ["the client store cannot be read (disk I/O error); the client goes on without"]
    monkeypatch.undo()
    assert readable(store) == 3
    assert told[1:] == ["the client store can be read again"]


# ---- the file goes away


def test_a_removed_file_is_made_anew(store: ClientStore, told: list[str], tmp_path: Path) -> None:
    fill(store, 3)
    for path in tmp_path.glob(FILE_NAME + "*"):
        path.unlink()
    fill(store, 2, first=10)
    assert store.entries.count() == 2
    assert (tmp_path / FILE_NAME).exists()
    assert len(told) == 1
    assert "was removed or replaced" in told[0]


def test_a_directory_that_is_gone_for_a_while(tmp_path: Path, told: list[str]) -> None:
    directory = tmp_path / "data"
    with closing(ClientStore.open(directory, SetClock(), notify=told.append)) as store:
        fill(store, 3)
        moved = directory.rename(tmp_path / "elsewhere")
        assert fill(store, 3, first=10) == Progress(3, 0, 3)
        assert readable(store) == 3
        assert len(told) == 1
        moved.rename(directory)
        assert fill(store, 3, first=10) == Progress(3, 3)
        assert readable(store) == 6


# ---- the log


def test_the_log_stays_short(store: ClientStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_file, "_LONGEST_LOG", 200_000)
    log, longest = Path(f"{tmp_path / FILE_NAME}-wal"), 0
    for _ in store.entries.import_entries(entries(1500), replace=True, batch=20):
        longest = max(longest, log.stat().st_size)
    assert 200_000 < longest < 800_000
    assert (tmp_path / FILE_NAME).stat().st_size > 2_000_000
    assert readable(store) == 1500


def test_nothing_is_left_to_do_after_closing(tmp_path: Path) -> None:
    store = ClientStore.open(tmp_path, SetClock())
    fill(store, 100)
    store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE_NAME, "client-store.lock"]


def test_a_log_that_no_thread_can_work_off(
    store: ClientStore, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(store_file, "_LONGEST_LOG", 100_000)
    monkeypatch.setattr(threading.Thread, "start", no_more)
    assert fill(store, 200) == Progress(200, 200)
    assert readable(store) == 200
    assert told == []


# ---- damage


def damage(path: Path, page: int, *, pages: int = 1) -> None:
    content = bytearray(path.read_bytes())
    content[page * 4096 : (page + pages) * 4096] = b"\xa5" * (pages * 4096)
    path.write_bytes(content)


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A store of 300 entries and a few other things, closed."""
    with closing(ClientStore.open(tmp_path, SetClock())) as store:
        fill(store, 300)
        store.sloks.add([(b"id", b"key")])
        store.values.set("key", "value")
        store.statistics.add("tunnel", b"record")
    return tmp_path / FILE_NAME


def test_damage_is_mended_when_it_is_met(full: Path, told: list[str]) -> None:
    damage(full, 60, pages=3)
    before = full.read_bytes()
    with closing(ClientStore.open(full.parent, SetClock(), notify=told.append)) as store:
        assert told == []
        assert 280 <= readable(store) <= 300
        assert store.entries.count() == readable(store)
        assert (store.sloks.get(b"id"), store.values.get("key")) == (b"key", "value")
        assert store.statistics.take("tunnel", 100) == [b"record"]
        assert fill(store, 300) == Progress(300, 300)
        assert readable(store) == 300
    assert len(told) == 1
    assert "was damaged (database disk image is malformed); 29" in told[0]
    assert f"is kept as {full}.damaged" in told[0]
    assert Path(f"{full}.damaged").read_bytes() == before


def test_a_damaged_first_page_loses_nothing(full: Path, told: list[str]) -> None:
    damage(full, 0)
    with closing(ClientStore.open(full.parent, SetClock(), notify=told.append)) as store:
        assert readable(store) == 300
        assert (store.sloks.get(b"id"), store.values.get("key")) == (b"key", "value")
    assert len(told) == 1
    assert "300 server entries could be read" in told[0]
    assert not list(full.parent.glob("*.model*")) + list(full.parent.glob("*.salvag*"))


@pytest.mark.parametrize("offset", [60, 63, 68, 71], ids=lambda offset: f"byte {offset}")
def test_a_damaged_version_or_application_is_not_taken_for_another_file(
    full: Path, told: list[str], offset: int
) -> None:
    content = bytearray(full.read_bytes())
    content[offset] ^= 0x10
    full.write_bytes(content)
    with closing(ClientStore.open(full.parent, SetClock(), notify=told.append)) as store:
        assert store.entries.count() == 300
    assert len(told) == 1


@pytest.mark.parametrize(
    "content", [b"this is no database", b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_file_of_anything(tmp_path: Path, told: list[str], content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with closing(ClientStore.open(tmp_path, SetClock(), notify=told.append)) as store:
        assert store.entries.count() == 0
        fill(store, 3)
    assert len(told) == 1
    assert (tmp_path / f"{FILE_NAME}.damaged").read_bytes() == content


def test_values_of_the_wrong_kind_are_damage(full: Path, told: list[str]) -> None:
    with sqlite3.connect(full) as other:
        other.execute("UPDATE value SET value = x'ff00'")
        other.execute("INSERT INTO value VALUES ('other', 'whole')")
    other.close()
    with closing(ClientStore.open(full.parent, SetClock(), notify=told.append)) as store:
        assert store.values.get("key") == ""
        assert store.values.get("other") == "whole"
        assert store.entries.count() == 300
    assert len(told) == 1


def test_an_id_out_of_all_proportion(full: Path, told: list[str]) -> None:
    with sqlite3.connect(full) as other:
        other.execute("UPDATE entry SET id = 9223372036854775807 WHERE id = 7")
    other.close()
    with closing(ClientStore.open(full.parent, SetClock(), notify=told.append)) as store:
        assert readable(store) == 300
        fill(store, 3, first=300)
        assert readable(store) == 303
    assert told == []


def test_a_missing_table_is_damage(full: Path, told: list[str]) -> None:
    with sqlite3.connect(full) as other:
        other.execute("DROP TABLE slok")
    other.close()
    with closing(ClientStore.open(full.parent, SetClock(), notify=told.append)) as store:
        assert store.sloks.get(b"id") is None
        assert store.sloks.add([(b"id", b"new")]) == 1
        assert store.entries.count() == 300
    assert len(told) == 1


def test_damage_in_memory_starts_anew(told: list[str]) -> None:
    with closing(ClientStore.open(None, SetClock(), notify=told.append)) as store:
        fill(store, 3)
        store._database.execute("DROP TABLE entry")
        assert store.entries.count() == 0
        assert fill(store, 3) == Progress(3, 3)
    assert told == ["the client store in memory was damaged (no such table: entry); it is empty now"]


def test_a_file_that_breaks_time_and_again_is_left(full: Path, told: list[str]) -> None:
    with closing(ClientStore.open(full.parent, SetClock(), notify=told.append)) as store:
        for _ in range(5):
            store._database.execute("DROP TABLE IF EXISTS slok")
            store.sloks.get(b"id")
        assert store.entries.count() == 300
    assert ["was damaged" in text for text in told] == [True, True, True, False]
    assert "cannot be read (no such table: slok)" in told[-1]


def test_without_room_to_mend_memory_has_to_do(
    full: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(full, 60)
    before = full.read_bytes()

    def no_room(path: Path) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(salvage, "rebuild", no_room)
        with closing(ClientStore.open(full.parent, SetClock(), notify=told.append)) as store:
            assert readable(store) >= 295
            assert fill(store, 10, first=500) == Progress(10, 10)
    assert len(told) == 1
    assert "cannot be mended now ([Errno 28] No space left on device)" in told[0]
    assert full.read_bytes() == before
    with closing(ClientStore.open(full.parent, SetClock(), notify=told.append)) as store:
        assert 295 <= readable(store) < 300
    assert len(told) == 2


# ---- after an unclean end


#: A copy of a store's files is what a process leaves that is killed at that moment.


def wait_for_check(store: ClientStore) -> None:
    if store._database._file._check:  # or it is over already
        store._database._file._check.join()


def test_the_check_after_an_unclean_end_finds_what_no_statement_met(
    full: Path, told: list[str], tmp_path: Path
) -> None:
    with closing(ClientStore.open(full.parent, SetClock(), notify=told.append)) as store:
        store.values.set("key", "newer")
        copy = shutil.copytree(full.parent, tmp_path / "copy")
    with closing(sqlite3.connect(full)) as database:
        (page,) = database.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'entry_by_region'"
        ).fetchone()
    content = bytearray((copy / FILE_NAME).read_bytes())
    place = content.index(b"US", page * 4096 - 4096)
    content[place : place + 2] = b"ZZ"
    (copy / FILE_NAME).write_bytes(content)
    with closing(ClientStore.open(copy, SetClock(), notify=told.append)) as store:
        wait_for_check(store)
        assert store.values.get("key") == "newer"
        assert store.entries.regions().count("ZZ") == 0
        assert readable(store) == 300
    assert len(told) == 1
    assert "entry_by_region" in told[0]


def test_the_check_finds_nothing_in_a_good_file(full: Path, told: list[str], tmp_path: Path) -> None:
    with closing(ClientStore.open(full.parent, SetClock(), notify=told.append)) as store:
        fill(store, 20, first=300)
        copy = shutil.copytree(full.parent, tmp_path / "copy")
    with closing(ClientStore.open(copy, SetClock(), notify=told.append)) as store:
        wait_for_check(store)
        assert readable(store) == 320
    with closing(ClientStore.open(copy, SetClock(), notify=told.append)) as store:
        assert store._database._file._check is None, "it was closed"
    assert told == []


def test_closing_ends_the_check(full: Path, tmp_path: Path) -> None:
    with closing(ClientStore.open(full.parent, SetClock())) as store:
        store.values.set("key", "newer")
        copy = shutil.copytree(full.parent, tmp_path / "copy")
    before = threading.active_count()
    ClientStore.open(copy, SetClock()).close()
    assert threading.active_count() == before


def test_a_damaged_log_is_told(full: Path, told: list[str], tmp_path: Path) -> None:
    with closing(ClientStore.open(full.parent, SetClock(), notify=told.append)) as store:
        for number in range(10):
            store.values.set("key", str(number))
        copy = shutil.copytree(full.parent, tmp_path / "copy")
    log = copy / f"{FILE_NAME}-wal"
    content = bytearray(log.read_bytes())
    content[32 + 6 * 4120 + 2000] ^= 1
    log.write_bytes(content)
    with closing(ClientStore.open(copy, SetClock(), notify=told.append)) as store:
        assert store.values.get("key") == "5"
        assert readable(store) == 300
    assert len(told) == 1
    assert "log, left by a client that did not close it, is damaged; the last 4 changes are lost" in told[0]


# ---- mistakes of ours


def test_what_cannot_be_kept_is_not_taken_for_damage(store: ClientStore, told: list[str]) -> None:
    with pytest.raises(LocalProtocolError, match="cannot keep"):
        store.values.set("key", object())  # type: ignore[arg-type]
    store.values.set("key", "half a pair: \ud800")
    assert store.values.get("\ud800") == ""
    assert not store.entries.prune("\ud800", 0)
    assert told == []


def test_a_closed_store_is_not_used(store: ClientStore) -> None:
    store.close()
    with pytest.raises(LocalProtocolError, match="closed"):
        store.values.get("key")
    with pytest.raises(LocalProtocolError, match="closed"):
        store.values.set("key", "value")
