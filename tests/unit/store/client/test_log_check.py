"""How many transactions a damaged log has lost."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from headrace.store.client.log_check import lost_transactions

FRAME = 24 + 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database as a killed process leaves it: six transactions of a page each in the log."""
    database = sqlite3.connect(tmp_path / "open.db", isolation_level=None)
    with closing(database):
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (x)")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for number in range(6):
            database.execute("INSERT INTO t VALUES (?)", (number,))
        for suffix in ("", "-wal"):
            shutil.copy(tmp_path / f"open.db{suffix}", tmp_path / f"killed.db{suffix}")
    return tmp_path / "killed.db"


def lost(path: Path) -> tuple[int, int]:
    """Return what is counted as lost, and how many rows are there."""
    with closing(sqlite3.connect(path)) as database:
        (rows,) = database.execute("SELECT count(*) FROM t").fetchone()
        return lost_transactions(path), rows


def change(path: Path, offset: int) -> None:
    log = Path(f"{path}-wal")
    content = bytearray(log.read_bytes())
    content[offset] ^= 0xFF
    log.write_bytes(content)


def test_a_whole_log(path: Path) -> None:
    assert Path(f"{path}-wal").stat().st_size == 32 + 6 * FRAME
    assert lost(path) == (0, 6)


@pytest.mark.parametrize("frame", range(5))
def test_a_damaged_frame(path: Path, frame: int) -> None:
    change(path, 32 + frame * FRAME + 24 + 1000)
    assert lost(path) == (6 - frame, frame)


def test_a_damaged_last_frame_is_like_one_whose_writing_was_cut_short(path: Path) -> None:
    """A frame is written in two steps; a kill between them shows where an earlier round's is beneath."""
    change(path, 32 + 5 * FRAME + 24 + 1000)
    assert lost(path) == (0, 5)


@pytest.mark.parametrize("offset", [0, 5, 9, 14, 17, 22, 26, 31])
def test_a_damaged_header(path: Path, offset: int) -> None:
    change(path, offset)
    assert lost(path) == (6, 0)


def test_a_log_cut_short_is_like_one_that_was_not_written(path: Path) -> None:
    log = Path(f"{path}-wal")
    log.write_bytes(log.read_bytes()[: 32 + 4 * FRAME + 100])
    assert lost(path) == (0, 4)


def test_frames_of_an_earlier_round_are_not_lost(path: Path) -> None:
    log = Path(f"{path}-wal")
    content = bytearray(log.read_bytes())
    content[32 + 4 * FRAME + 8 : 32 + 4 * FRAME + 16] = b"older"[:1] * 8
    content[32 + 5 * FRAME + 8 : 32 + 5 * FRAME + 16] = b"older"[:1] * 8
    log.write_bytes(content)
    assert lost(path) == (0, 4)


def test_without_a_log(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        lost_transactions(tmp_path / "nothing.db")
