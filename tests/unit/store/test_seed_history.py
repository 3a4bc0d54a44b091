import itertools
import logging
import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from headrace.base.errors import OperatorError
from headrace.obfuscation.seed_history import SEED_LIFETIME
from headrace.store import seed_history
from headrace.store.seed_history import SeedHistory

LIFETIME = SEED_LIFETIME
FILLER = itertools.count(1 << 64)


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def monotonic(self) -> float:
        return self.now

    def boottime(self) -> float:
        return self.monotonic()

    def time(self) -> float:
        return self.now


def seed(number: int) -> bytes:
    return number.to_bytes(16, "big")


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "seeds.db"


@pytest.fixture
def history(path: Path, time: Time) -> Iterator[SeedHistory]:
    opened = SeedHistory(path, time)
    yield opened
    opened.close()


# ---- the rule


def test_a_seed_is_new_once(history: SeedHistory) -> None:
    assert [history.seen(seed(1)), history.seen(seed(1)), history.seen(seed(2))] == [False, True, False]


def test_a_seed_is_forgotten_after_its_time(history: SeedHistory, time: Time) -> None:
    history.seen(seed(1))
    time.now += LIFETIME - 1
    assert history.seen(seed(1))
    time.now += LIFETIME - 1
    assert history.seen(seed(1)), "the attempt renewed it"
    time.now += LIFETIME
    assert not history.seen(seed(1))
    assert history.seen(seed(1))


def test_a_clock_set_back_forgets_nothing(history: SeedHistory, time: Time) -> None:
    history.seen(seed(1))
    time.now -= 10 * LIFETIME
    assert history.seen(seed(1))
    time.now += 10 * LIFETIME
    assert history.seen(seed(1))


def test_capacity_drops_the_least_recently_seen(path: Path, time: Time) -> None:
    history = SeedHistory(path, time, capacity=3)
    for number in (1, 2, 3, 1, 4):
        time.now += 1
        history.seen(seed(number))
    assert [history.seen(seed(number)) for number in (1, 3, 4)] == [True, True, True]
    assert not history.seen(seed(2))
    history.close()


def test_pruning_keeps_the_file_within_bounds(path: Path, time: Time) -> None:
    history = SeedHistory(path, time, capacity=640, ttl=1000)
    for number in range(5000):
        time.now += 1
        assert not history.seen(seed(number))
    history.close()
    with sqlite3.connect(path) as database:
        (count,) = database.execute("SELECT count(*) FROM seed").fetchone()
    database.close()
    assert 640 <= count < 640 + 10


def test_pruning_removes_what_has_expired(path: Path, time: Time) -> None:
    history = SeedHistory(path, time, capacity=64)
    for number in range(50):
        history.seen(seed(number))
    time.now += LIFETIME
    history.seen(seed(100))
    history.close()
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM seed").fetchone() == (1,)
    database.close()


def test_in_memory(time: Time) -> None:
    history = SeedHistory(None, time)
    assert [history.seen(seed(1)), history.seen(seed(1))] == [False, True]
    history.close()


# ---- several processes, and one after another


def test_reopened(path: Path, time: Time) -> None:
    first = SeedHistory(path, time)
    first.seen(seed(1))
    first.close()
    second = SeedHistory(path, time)
    assert second.seen(seed(1))
    assert not second.seen(seed(2))
    second.close()


def test_two_at_once_in_one_file(history: SeedHistory, path: Path, time: Time) -> None:
    other = SeedHistory(path, time)
    assert not history.seen(seed(1))
    assert other.seen(seed(1))
    assert not other.seen(seed(2))
    assert history.seen(seed(2))
    other.close()


def worker(program: str, path: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a process of its own that runs `program` with a history open on `path`."""
    head = """
        import os, sys
        from pathlib import Path
        from headrace.base.clock import SYSTEM_CLOCK
        from headrace.store.seed_history import SeedHistory

        history = SeedHistory(Path(sys.argv[1]), SYSTEM_CLOCK)
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(program), str(path), *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_of_two_processes_exactly_one_accepts_each_seed(path: Path) -> None:
    program = """
        print("ready", flush=True)
        sys.stdin.readline()
        print(*(int(history.seen(number.to_bytes(16, "big"))) for number in range(500)))
    """
    racers = [worker(program, path) for _ in range(2)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    answers = [racer.communicate(timeout=30)[0].split() for racer in racers]
    assert [len(answer) for answer in answers] == [500, 500]
    assert all(sorted(pair) == ["0", "1"] for pair in zip(*answers, strict=True))


def test_a_killed_process_leaves_its_seeds(path: Path, time: Time) -> None:
    program = """
        history.seen(bytes(16))
        os.kill(os.getpid(), 9)
    """
    killed = worker(program, path)
    killed.communicate(timeout=30)
    assert killed.returncode == -9
    time.now = path.stat().st_mtime
    history = SeedHistory(path, time)
    assert history.seen(bytes(16))
    history.close()


# ---- trouble


@pytest.mark.parametrize(
    "content", [b"this is no database", b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_damaged_file_is_set_aside(
    content: bytes, path: Path, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(content)
    history = SeedHistory(path, time)
    assert not history.seen(seed(1))
    assert history.seen(seed(1))
    history.close()
    assert Path(f"{path}.damaged").read_bytes() == content
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "damaged" in caplog.text


def test_damage_found_later_refuses_and_starts_anew(
    path: Path, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    history = SeedHistory(path, time)
    for number in range(2000):
        history.seen(seed(number))
    history.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))

    history = SeedHistory(path, time)
    other = SeedHistory(path, time)
    assert history.seen(seed(5000)), "in doubt, refused"
    assert not history.seen(seed(5001)), "and well again"
    assert other.seen(seed(5001)), "for the other worker too"
    assert not other.seen(seed(5002))
    history.close()
    other.close()
    assert len(caplog.records) == 1
    assert Path(f"{path}.damaged").exists()


def test_a_removed_file_is_made_anew(history: SeedHistory, path: Path) -> None:
    history.seen(seed(1))
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink()
    assert not history.seen(seed(1))
    assert history.seen(seed(1))
    assert path.exists()


def test_a_lock_held_too_long_refuses_and_is_logged_once(
    history: SeedHistory, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    history._database.execute("PRAGMA busy_timeout = 1")
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    assert history.seen(seed(1))
    assert history.seen(seed(2))
    assert len(caplog.records) == 1
    assert "refused" in caplog.text
    blocker.execute("ROLLBACK")
    assert not history.seen(seed(1))

    blocker.execute("BEGIN IMMEDIATE")
    assert history.seen(seed(3))
    assert len(caplog.records) == 2, "a new outage is news"
    blocker.close()


def test_a_full_disk_closes_no_server(
    history: SeedHistory, path: Path, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    assert not history.seen(seed(0))
    fill(history)
    # What is in the file is still known, what comes now is accepted once, and the log hears of it once.
    assert history.seen(seed(0))
    assert [history.seen(seed(number)) for number in (1, 2, 1)] == [False, False, True]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    time.now += LIFETIME
    assert not history.seen(seed(1)), "after its time it is forgotten here as well"

    history._database.execute("PRAGMA max_page_count = 1000000")
    assert not history.seen(seed(3))
    other = SeedHistory(path, time)
    assert all(other.seen(seed(number)) for number in (1, 3)), "what was remembered was not written"
    other.close()
    fill(history)
    history.seen(seed(4))
    assert len(caplog.records) == 2, "a new outage is news"


def test_no_more_is_remembered_without_room_than_with_it(path: Path, time: Time) -> None:
    with closing(SeedHistory(path, time, capacity=3)) as history:
        fill(history)
        assert not any(history.seen(seed(number)) for number in range(5))
        assert [history.seen(seed(number)) for number in (4, 3, 2)] == [True, True, True]
        assert not history.seen(seed(0))


def fill(history: SeedHistory) -> None:
    """Leave no room on the disk, as far as this connection is concerned."""
    pages = history._database.execute("PRAGMA page_count").fetchone()[0]
    history._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        for number in FILLER:
            history._database.execute("INSERT INTO seed VALUES (?, 0)", (number.to_bytes(16, "little"),))


def test_nothing_is_logged_of_a_seed(
    history: SeedHistory, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history._database.execute("PRAGMA busy_timeout = 1")
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    history.seen(b"\xab" * 16)
    blocker.close()
    assert "abab" not in caplog.text
    assert r"\xab" not in caplog.text


def test_a_directory_gone_refuses_until_it_is_back(path: Path, time: Time, tmp_path: Path) -> None:
    inner = tmp_path / "data"
    inner.mkdir()
    history = SeedHistory(inner / "seeds.db", time)
    moved = inner.rename(tmp_path / "elsewhere")
    assert history.seen(seed(1))
    assert history.seen(seed(2))
    moved.rename(inner)
    assert not history.seen(seed(1))
    history.close()


def test_damage_that_cannot_be_mended_refuses(
    history: SeedHistory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object, **options: object) -> sqlite3.Connection:
        raise sqlite3.DatabaseError("malformed")

    def test_and_insert(self: SeedHistory, seed: bytes) -> bool:
        raise sqlite3.DatabaseError("malformed")

    monkeypatch.setattr(seed_history, "_connect", broken)
    monkeypatch.setattr(SeedHistory, "_test_and_insert", test_and_insert)
    assert history.seen(seed(1))
    assert "cannot be asked" in caplog.text
    monkeypatch.undo()
    assert not history.seen(seed(1))


def test_a_database_of_another_kind_is_left_alone(path: Path, time: Time) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE other (thing)")
    database.close()
    before = path.read_bytes()
    with pytest.raises(OperatorError, match="not a seed history"):
        SeedHistory(path, time)
    assert path.read_bytes() == before


def test_an_unusable_place_is_the_operators_business(tmp_path: Path, time: Time) -> None:
    with pytest.raises(OperatorError, match="must exist and be writable"):
        SeedHistory(tmp_path / "missing" / "seeds.db", time)


def test_a_locked_file_is_not_taken_for_a_damaged_one(
    path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    SeedHistory(path, time).close()
    monkeypatch.setattr(seed_history, "_SETUP_SECONDS", 0.01)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("PRAGMA locking_mode = EXCLUSIVE")
    blocker.execute("BEGIN EXCLUSIVE")
    with pytest.raises(OperatorError, match="locked"):
        SeedHistory(path, time)
    blocker.close()
    assert not Path(f"{path}.damaged").exists()


def test_the_file_is_for_its_owner_only(history: SeedHistory, path: Path) -> None:
    history.seen(seed(1))
    assert path.stat().st_mode & 0o777 == 0o600
    assert Path(f"{path}-wal").stat().st_mode & 0o777 == 0o600
    assert Path(f"{path}.lock").stat().st_mode & 0o777 == 0o600  # else others could hold it, and us up


def test_what_is_stored_is_seeds_and_whole_seconds(history: SeedHistory, path: Path, time: Time) -> None:
    time.now += 0.75
    history.seen(seed(1))
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT * FROM seed").fetchall() == [(seed(1), int(time.now))]
    database.close()
