"""The journal on disk."""

import asyncio
import os
from pathlib import Path

import pytest

from headrace.base.errors import DocumentError
from headrace.client.journal_file import JournalFile
from headrace.establishment.journal import Journal, Record

RECORD = Record(begun=1.0, seconds=2.0, connected=True)


class Clock:
    def time(self) -> float:
        return 5.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def boottime(self) -> float:
        return self.monotonic()


def test_there_and_back(tmp_path: Path) -> None:
    file = JournalFile(tmp_path)
    assert file.read() is None
    file.write(RECORD)
    file.write(RECORD)
    assert file.read() == RECORD
    assert os.stat(file.path).st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == [file.path.name]


def test_nothing_of_a_file_that_was_there_is_kept(tmp_path: Path) -> None:
    file = JournalFile(tmp_path)
    file.path.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "establishment.new").symlink_to(tmp_path / "elsewhere")
    file.write(RECORD)
    assert file.read() == RECORD
    assert not (tmp_path / "elsewhere").exists()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = JournalFile(tmp_path)
    file.path.write_bytes(b"{")
    with pytest.raises(DocumentError, match=r"establishment\.json: the journal is damaged"):
        file.read()


@pytest.mark.virtual_time
async def test_what_is_new_is_written_now_and_then(tmp_path: Path) -> None:
    file, journal = JournalFile(tmp_path), Journal()
    async with file.following(journal, Clock()):
        await asyncio.sleep(5)
        assert file.read() is None
        journal.begin(asyncio.get_running_loop().time(), 7.0)
        await asyncio.sleep(5)
        first = file.read()
        assert first is not None and first.begun == 7.0 and not first.finished
        file.path.unlink()
        await asyncio.sleep(5)
        assert file.read() is None  # nothing was new
        journal.finished(asyncio.get_running_loop().time(), connected=True)
    last = file.read()
    assert last is not None and last.connected


@pytest.mark.virtual_time
async def test_a_disk_that_takes_nothing_ends_nobody(tmp_path: Path) -> None:
    journal = Journal()
    async with JournalFile(tmp_path / "missing").following(journal, Clock()):
        journal.begin(0.0, 0.0)
        await asyncio.sleep(5)
        journal.finished(0.0, connected=False)
