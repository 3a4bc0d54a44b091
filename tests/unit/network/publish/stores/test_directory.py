"""A directory as a store: objects are whole or not there, whatever happens, and nothing leads out of it."""

import errno
import fcntl
import os
import resource
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from headrace.network.publish.stores.directory import DirectoryStore
from headrace.network.publish.stores.store import StoreUnavailable
from headrace.network.publish.stores.stored import StoredObject
from headrace.network.publish.stores.tree import Tree

OLD = StoredObject("osl/registry", b"old")
NEW = StoredObject("osl/registry", b"new and longer")

#: Puts an object, and is killed when it is about to move it to its place.
CRASH = """
import os, sys
from pathlib import Path
from headrace.network.publish.stores.directory import DirectoryStore
from headrace.network.publish.stores.stored import StoredObject
os.replace = lambda *_, **__: os._exit(9)
DirectoryStore(Path(sys.argv[1])).put(StoredObject("osl/registry", b"new and longer"))
"""


def drafts(root: Path) -> list[str]:
    return sorted(name for name in os.listdir(root / ".drafts") if name != "lock")


def test_an_object_is_a_file_with_its_name(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "made" / "too")
    assert store.get("osl/registry") is None
    assert store.digest("osl/registry") is None
    store.put(OLD)
    store.put(NEW)
    assert (tmp_path / "made" / "too" / "osl" / "registry").read_bytes() == NEW.data
    assert store.get("osl/registry") == NEW.data
    assert store.digest("osl/registry") == NEW.sha256


def test_the_digest_is_of_what_is_in_the_file_now(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put(OLD)
    (tmp_path / "osl" / "registry").write_bytes(NEW.data)
    assert store.digest("osl/registry") == NEW.sha256


def test_everybody_may_read_whatever_the_mask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        DirectoryStore(tmp_path / "root").put(OLD)
    finally:
        os.umask(before)
    modes = {
        name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("root", "root/osl", "root/.drafts")
    }
    assert modes == {"root": 0o755, "root/osl": 0o755, "root/.drafts": 0o700}
    assert stat.S_IMODE((tmp_path / "root/osl/registry").stat().st_mode) == 0o644


# ---- names and deletion


def test_names_are_those_of_objects_and_of_nothing_else(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    assert list(store.names()) == []
    for name in ("a", "b/c", "b/d/e", "bb", "b-c"):
        store.put(StoredObject(name, b""))
    os.symlink("/etc/passwd", tmp_path / "link")
    os.symlink("/etc", tmp_path / "directory")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "b" / ".draft-of-a-crash").write_bytes(b"")
    assert sorted(store.names()) == ["a", "b-c", "b/c", "b/d/e", "bb"]
    assert sorted(store.names("b")) == ["b-c", "b/c", "b/d/e", "bb"]
    assert sorted(store.names("b/")) == ["b/c", "b/d/e"]
    assert list(store.names("b/d/e")) == ["b/d/e"]
    assert list(store.names("c/")) == []


def test_deleting_leaves_no_empty_directories_and_nothing_else_goes(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    for name in ("a/b/c", "a/b/d", "e"):
        store.put(StoredObject(name, b""))
    store.delete("a/b/c")
    assert sorted(store.names()) == ["a/b/d", "e"]
    store.delete("a/b/d")
    assert not (tmp_path / "a").exists()
    store.put(StoredObject("a", b"a file now"))
    assert sorted(store.names()) == ["a", "e"]


@pytest.mark.parametrize("name", ["no", "no/such", "a/b/c/d", "a", "a/b"])
def test_what_is_not_there_can_be_deleted(name: str, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put(StoredObject("a/b/c", b""))
    store.delete(name)
    assert store.get(name) is None
    assert store.digest(name) is None
    assert list(store.names()) == ["a/b/c"]


def test_a_pipe_is_no_object_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert DirectoryStore(tmp_path).get("pipe") is None


# ---- crashes and failures


def test_a_crash_before_the_move_leaves_the_old_object_and_the_next_put_cleans_up(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put(OLD)
    assert subprocess.run([sys.executable, "-c", CRASH, str(tmp_path)], check=False).returncode == 9
    assert store.get("osl/registry") == OLD.data
    assert list(store.names()) == ["osl/registry"]
    assert len(drafts(tmp_path)) == 1
    store.put(StoredObject("other", b""))
    assert drafts(tmp_path) == []
    assert store.get("osl/registry") == OLD.data


def test_an_object_is_on_the_disk_before_it_gets_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(handle: int) -> None:
        calls.append(("fsync", os.readlink(f"/proc/self/fd/{handle}").removeprefix(str(tmp_path))))
        fsync(handle)

    def watched_replace(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        calls.append(("replace", target))
        replace(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    store = DirectoryStore(tmp_path)
    store.put(OLD)
    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    store.put(NEW)
    assert [call for call, _ in calls] == ["fsync", "replace", "fsync"]
    assert calls[0][1].startswith("/.drafts/")
    assert calls[2][1] == "/osl"


def test_many_may_put_at_the_same_time(tmp_path: Path) -> None:
    def put(number: int) -> None:
        store = DirectoryStore(tmp_path)
        for turn in range(10):
            store.put(StoredObject(f"{turn}/{number}", b"%d" % number))
            store.put(StoredObject("same", b"%d" % number))
            if turn % 2:
                store.delete(f"{turn}/{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(8)))
    store = DirectoryStore(tmp_path)
    names = [f"{turn}/{number}" for turn in range(0, 10, 2) for number in range(8)]
    assert sorted(store.names()) == sorted([*names, "same"])
    assert drafts(tmp_path) == []


def test_the_drafts_of_somebody_at_work_are_left_alone(tmp_path: Path) -> None:
    other = Tree(tmp_path, directory_mode=0o755, file_mode=0o644)
    store = DirectoryStore(tmp_path)
    with other.at_work("slow") as handle:
        draft = other.draft(handle, b"slow")
        store.put(OLD)
        other.place(handle, draft, "slow")
    assert store.get("slow") == b"slow"


def test_directories_are_removed_only_when_nobody_is_about_to_use_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = threading.Event()
    flock = fcntl.flock

    def watched_flock(handle: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX:
            waiting.set()
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", watched_flock)
    other = Tree(tmp_path, directory_mode=0o755, file_mode=0o644)
    store = DirectoryStore(tmp_path)
    store.put(OLD)
    with ThreadPoolExecutor(1) as pool:
        with other.at_work("osl/file") as handle:
            deletion = pool.submit(store.delete, "osl/registry")
            assert waiting.wait(10)
            assert store.get("osl/registry") == OLD.data
            other.place(handle, other.draft(handle, b"new"), "osl/file")
        deletion.result()
    assert list(store.names()) == ["osl/file"]


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_failure_leaves_the_old_object_and_no_draft(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = DirectoryStore(tmp_path)
    store.put(OLD)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(StoreUnavailable, match=r"no room in .* for osl/registry: free some"):
            store.put(NEW)
    assert store.get("osl/registry") == OLD.data
    assert drafts(tmp_path) == []


def test_a_file_that_the_system_cuts_short_never_gets_to_its_place(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put(OLD)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(StoreUnavailable, match="what was there before is unchanged"):
            store.put(StoredObject("osl/registry", bytes(200_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert store.get("osl/registry") == OLD.data
    assert drafts(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "give this user the right"),
        (errno.EROFS, "give this user"),
        (errno.EIO, "see to its disk"),
    ],
)
def test_errors_say_what_to_do(
    number: int, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(StoreUnavailable, match=advice):
        DirectoryStore(tmp_path).put(OLD)


def test_a_name_in_the_place_of_a_directory_is_explained(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put(OLD)
    for name in ("osl", "osl/registry/1"):
        with pytest.raises(StoreUnavailable, match=r"another kind .*publish under another name"):
            store.put(StoredObject(name, b""))
    assert list(store.names()) == ["osl/registry"]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="another kind"):
        DirectoryStore(tmp_path / "file").put(OLD)


def test_a_place_on_another_file_system_is_written_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def replace_in_one(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        if src_dir_fd != dst_dir_fd:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    store = DirectoryStore(tmp_path)
    store.put(OLD)
    monkeypatch.setattr(os, "replace", replace_in_one)
    store.put(NEW)
    assert store.get("osl/registry") == NEW.data
    assert os.listdir(tmp_path / "osl") == ["registry"]
    assert stat.S_IMODE((tmp_path / "osl" / "registry").stat().st_mode) == 0o644
    assert drafts(tmp_path) == []


# ---- links


def test_the_root_may_be_reached_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    os.symlink("real", tmp_path / "link")
    store = DirectoryStore(tmp_path / "link")
    store.put(OLD)
    assert (tmp_path / "real" / "osl" / "registry").read_bytes() == b"old"
    assert list(store.names()) == ["osl/registry"]


@pytest.mark.parametrize("name", ["link/secret", "file", "deep/link/secret"])
def test_no_link_below_the_root_is_followed(name: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    os.symlink(outside, root / "link")
    os.symlink(outside, root / "deep" / "link")
    os.symlink(outside / "secret", root / "file")
    store = DirectoryStore(root)
    for operation in (store.get, store.digest, lambda name: store.put(StoredObject(name, b"new"))):
        with pytest.raises(StoreUnavailable, match="is a symbolic link, and nothing is published through"):
            operation(name)
    assert (outside / "secret").read_bytes() == b"secret"
    assert os.listdir(outside) == ["secret"]


def test_deleting_through_a_link_is_refused_and_deleting_a_link_is_not(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"")
    (tmp_path / "root").mkdir()
    os.symlink("../outside", tmp_path / "root" / "link")
    store = DirectoryStore(tmp_path / "root")
    with pytest.raises(StoreUnavailable, match="symbolic link"):
        store.delete("link/file")
    store.delete("link")
    assert not os.path.lexists(tmp_path / "root" / "link")
    assert (tmp_path / "outside" / "file").exists()
