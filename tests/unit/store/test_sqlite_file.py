"""Files of a kind: made, brought up to date, told from others."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from headrace.base.errors import OperatorError
from headrace.store.sqlite_file import (
    MEMORY,
    FileKind,
    WrongFile,
    connect,
    connect_to_read,
    create,
    file_id,
    set_aside,
)

FIRST = "CREATE TABLE person (name TEXT PRIMARY KEY)"
SECOND = "ALTER TABLE person ADD COLUMN age INTEGER; UPDATE person SET age = length(name)"
OLD = FileKind("register", application=0x12345678, steps=(FIRST,))
NEW = FileKind("register", application=0x12345678, steps=(FIRST, SECOND))
OTHER = FileKind("guest book", application=0x9ABCDEF, steps=(FIRST,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file with % and ?.db"
    create(made)
    return made


def numbers(path: Path) -> tuple[int, int]:
    with closing(connect_to_read(path, timeout=0)) as database:
        ((application,), (version,)) = (
            database.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
        )
        return application, version


def test_a_new_file_has_all_steps(path: Path) -> None:
    with closing(connect(path, NEW, timeout=0)) as database:
        database.execute("INSERT INTO person VALUES ('Ann', 3)")
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert numbers(path) == (NEW.application, 2)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_older_file_gains_the_missing_step(path: Path) -> None:
    with closing(connect(path, OLD, timeout=0)) as database:
        database.execute("INSERT INTO person VALUES ('Grace')")
    for _ in range(2):
        with closing(connect(path, NEW, timeout=0)) as database:
            assert database.execute("SELECT * FROM person").fetchall() == [("Grace", 5)]
    assert numbers(path) == (NEW.application, 2)


def test_a_step_that_fails_leaves_the_version_before_it(path: Path) -> None:
    broken = FileKind(
        "register", NEW.application, (FIRST, "DELETE FROM person; INSERT INTO nobody VALUES (1)")
    )
    with closing(connect(path, OLD, timeout=0)) as database:
        database.execute("INSERT INTO person VALUES ('Grace')")
    with pytest.raises(sqlite3.OperationalError, match="nobody"):
        connect(path, broken, timeout=0)
    assert numbers(path) == (OLD.application, 1)
    with closing(connect(path, NEW, timeout=0)) as database:
        assert database.execute("SELECT name FROM person").fetchall() == [("Grace",)]


def contents(directory: Path) -> dict[str, bytes]:
    # The index beside the log is made anew by whoever opens the file.
    return {file.name: file.read_bytes() for file in directory.iterdir() if not file.name.endswith("-shm")}


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "killed"])
def test_a_newer_file_is_refused_and_left_as_it_is(path: Path, tmp_path: Path, closed: bool) -> None:
    program = f"""
import os, sqlite3, sys
from headrace.store.sqlite_file import FileKind, connect
kind = FileKind("register", {NEW.application}, ({FIRST!r}, {SECOND!r}))
database = connect(sys.argv[1], kind, timeout=0)
database.execute("INSERT INTO person VALUES ('Ann', 3)")
{"database.close()" if closed else "os.kill(os.getpid(), 9)"}
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", program, str(path)], check=closed, env=environment, timeout=30)
    before = contents(tmp_path)
    assert len(before) == (1 if closed else 2)
    with pytest.raises(
        WrongFile, match=r"is a register of version 2, .* knows versions up to 1; use the program"
    ):
        connect(path, OLD, timeout=0)
    assert contents(tmp_path) == before


def test_a_file_of_another_kind_is_refused(path: Path, tmp_path: Path) -> None:
    connect(path, OLD, timeout=0).close()
    before = contents(tmp_path)
    with pytest.raises(OperatorError, match="is a database, but not a guest book"):
        connect(path, OTHER, timeout=0)
    assert contents(tmp_path) == before


def test_an_exclusive_connection_keeps_others_out(path: Path) -> None:
    with closing(connect(path, OLD, timeout=0, exclusive=True)) as database:
        database.execute("INSERT INTO person VALUES ('Ann')")
        assert not Path(f"{path}-shm").exists()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            connect(path, OLD, timeout=0)
    with pytest.raises(WrongFile):
        connect(path, OTHER, timeout=0, exclusive=True)


def test_in_memory() -> None:
    with closing(connect(MEMORY, NEW, timeout=0)) as database:
        assert database.execute("SELECT count(*) FROM person").fetchone() == (0,)


def test_identity_and_setting_aside(path: Path) -> None:
    before = file_id(path)
    assert before is not None
    path.write_bytes(b"content")
    Path(f"{path}-wal").write_bytes(b"log")
    set_aside(path)
    assert file_id(path) is None
    assert Path(f"{path}.damaged").read_bytes() == b"content"
    assert Path(f"{path}.damaged-wal").read_bytes() == b"log"
    create(path)
    assert file_id(path) not in (None, before)
