"""Opening the store, and what it leaves on the disk."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import OperatorError
from headrace.store.client.schema import CLIENT_STORE, TABLES
from headrace.store.client.store import FILE_NAME, ClientStore


def test_directory_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    with closing(ClientStore.open(tmp_path / "a" / "b", SYSTEM_CLOCK)) as store:
        store.values.set("key", "value")
        files = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "a" / "b").iterdir()}
        assert files.pop("client-store.lock") == 0o600
        assert files == {f"{FILE_NAME}{suffix}": 0o600 for suffix in ("", "-wal", "-shm")}
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_in_memory_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(ClientStore.open(None, SYSTEM_CLOCK)) as store:
        store.values.set("key", "value")
        assert store.values.get("key") == "value"
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for directory in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(OperatorError, match=r"cannot open the client store in .* must be writable"):
            ClientStore.open(directory, SYSTEM_CLOCK)
    (tmp_path / FILE_NAME).mkdir()
    for _ in range(2):  # the lock was given back
        with pytest.raises(OperatorError, match="unable to open database file"):
            ClientStore.open(tmp_path, SYSTEM_CLOCK)


def test_a_newer_store_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    ClientStore.open(tmp_path, SYSTEM_CLOCK).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as newer:
        newer.execute("ALTER TABLE slok ADD COLUMN since INTEGER")
        newer.execute(f"PRAGMA user_version = {CLIENT_STORE.version + 1}")
    newer.close()
    before = {path.name: path.read_bytes() for path in tmp_path.glob(f"{FILE_NAME}*")}
    for _ in range(2):
        with pytest.raises(OperatorError, match=r"is a client store of version 2.* or move the file away"):
            ClientStore.open(tmp_path, SYSTEM_CLOCK)
    assert {path.name: path.read_bytes() for path in tmp_path.glob(f"{FILE_NAME}*")} == before


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as other:
        other.execute("CREATE TABLE slok (something)")
    other.close()
    with pytest.raises(OperatorError, match="is a database, but not a client store"):
        ClientStore.open(tmp_path, SYSTEM_CLOCK)


def test_a_new_file_has_the_tables_that_the_program_knows(tmp_path: Path) -> None:
    ClientStore.open(tmp_path, SYSTEM_CLOCK).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as file:
        names = [name for (name,) in file.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        columns = {
            name: [row[1] for row in file.execute(f"PRAGMA table_info({name})")] for name in sorted(names)
        }
    file.close()
    assert columns == {name: list(kinds) for name, kinds in sorted(TABLES.items())}
