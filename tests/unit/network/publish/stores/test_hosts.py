"""The stand-in for server hosts: files of their own, and one copy of what many have."""

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from headrace.network.publish.stores.hosts import LocalHosts
from headrace.network.publish.stores.store import StoreUnavailable
from headrace.network.publish.stores.tree import Tree

LARGE = bytes(range(256)) * 1024
LARGER = LARGE + b"more"


def pool(root: Path) -> list[str]:
    return sorted(os.listdir(root / ".pool"))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("data", [b"", b"small", LARGE])
def test_a_file_is_put_replaced_and_deleted(data: bytes, tmp_path: Path) -> None:
    hosts = LocalHosts(tmp_path / "hosts")
    assert hosts.get("one", "psinet.json") is None
    assert hosts.digest("one", "psinet.json") is None
    for content in (b"before", LARGER, data):
        hosts.put("one", "psinet.json", content)
        assert hosts.get("one", "psinet.json") == content
        assert hosts.digest("one", "psinet.json") == digest(content)
    hosts.delete("one", "psinet.json")
    hosts.delete("one", "psinet.json")
    assert hosts.get("one", "psinet.json") is None
    assert not (tmp_path / "hosts" / "one").exists()


@pytest.mark.parametrize("data", [b"small", LARGE])
def test_only_the_owner_may_read_whatever_the_mask(data: bytes, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        LocalHosts(tmp_path / "hosts").put("one", "own-entries", data)
    finally:
        os.umask(before)
    found = [tmp_path / "hosts", *(tmp_path / "hosts").rglob("*")]
    assert len(found) >= 5
    for path in found:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_what_many_hosts_have_is_there_once(tmp_path: Path) -> None:
    hosts = LocalHosts(tmp_path)
    for number in range(20):
        hosts.put(f"host-{number}", "psinet.json", LARGE)
        hosts.put(f"host-{number}", "own-entries", b"%d" % number)
    assert pool(tmp_path) == [digest(LARGE)]
    assert len({(tmp_path / f"host-{number}" / "psinet.json").stat().st_ino for number in range(20)}) == 1
    assert hosts.get("host-7", "own-entries") == b"7"


def test_what_many_hosts_have_is_written_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    draft, file_digest = Tree.draft, hashlib.file_digest

    def watched_draft(tree: Tree, drafts: int, data: bytes) -> str:
        calls.append("written")
        return draft(tree, drafts, data)

    def watched_digest(stream: Any, name: Any) -> Any:
        calls.append("read")
        return file_digest(stream, name)

    monkeypatch.setattr(Tree, "draft", watched_draft)
    monkeypatch.setattr(hashlib, "file_digest", watched_digest)
    hosts = LocalHosts(tmp_path)
    for number in range(20):
        hosts.put(f"host-{number}", "psinet.json", LARGE)
        assert hosts.digest(f"host-{number}", "psinet.json") == digest(LARGE)
    assert calls == ["written", "read"]


def test_a_file_of_one_host_changes_for_nobody_else(tmp_path: Path) -> None:
    hosts = LocalHosts(tmp_path)
    for host in ("one", "other"):
        hosts.put(host, "psinet.json", LARGE)
    hosts.put("one", "psinet.json", LARGER)
    hosts.put("one", "psinet.json", LARGER)
    assert hosts.get("other", "psinet.json") == LARGE
    assert hosts.digest("other", "psinet.json") == digest(LARGE)
    hosts.delete("one", "psinet.json")
    hosts.put("other", "psinet.json", LARGER)
    assert hosts.get("other", "psinet.json") == LARGER


def test_what_no_host_has_any_more_leaves_the_pool(tmp_path: Path) -> None:
    hosts = LocalHosts(tmp_path)
    for data in (LARGE, LARGER, LARGE + b"2", LARGE + b"3"):
        for host in ("one", "other"):
            hosts.put(host, "psinet.json", data)
    assert pool(tmp_path) == sorted([digest(LARGE + b"2"), digest(LARGE + b"3")])


@pytest.mark.parametrize("spoilt", [b"", b"x" * len(LARGE)])
def test_a_spoilt_pool_is_not_handed_on(spoilt: bytes, tmp_path: Path) -> None:
    LocalHosts(tmp_path).put("one", "psinet.json", LARGE)
    (tmp_path / "one" / "psinet.json").write_bytes(spoilt)
    hosts = LocalHosts(tmp_path)
    assert hosts.digest("one", "psinet.json") == digest(spoilt)
    hosts.put("other", "psinet.json", LARGE)
    assert hosts.get("other", "psinet.json") == LARGE
    hosts.put("one", "psinet.json", LARGE)
    assert hosts.get("one", "psinet.json") == LARGE


@pytest.mark.parametrize("written", [LARGER, LARGE[::-1]])
def test_a_host_s_file_that_somebody_wrote_to_has_another_digest(written: bytes, tmp_path: Path) -> None:
    hosts = LocalHosts(tmp_path)
    for host in ("one", "other"):
        hosts.put(host, "psinet.json", LARGE)
    assert hosts.digest("one", "psinet.json") == digest(LARGE)
    path = tmp_path / "one" / "psinet.json"
    before = path.stat().st_mtime_ns
    path.write_bytes(written)
    os.utime(path, ns=(before, before + 1))  # clocks of file systems may tick slowly
    assert hosts.digest("one", "psinet.json") == digest(written)


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOENT])
def test_files_are_copied_where_there_are_no_links(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    hosts = LocalHosts(tmp_path)
    for host in ("one", "other"):
        hosts.put(host, "psinet.json", LARGE)
        assert hosts.get(host, "psinet.json") == LARGE
        assert (tmp_path / host / "psinet.json").stat().st_nlink == 1


@pytest.mark.parametrize("data", [b"small", LARGER])
def test_a_failure_leaves_the_old_file_and_no_draft(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    hosts = LocalHosts(tmp_path)
    hosts.put("one", "psinet.json", LARGE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(StoreUnavailable, match=r"no room in .* for one/psinet.json"):
            hosts.put("one", "psinet.json", data)
    assert hosts.get("one", "psinet.json") == LARGE
    assert os.listdir(tmp_path / ".drafts") == ["lock"]


@pytest.mark.parametrize("name", ["a/b", "..", ".", "", ".pool", ".drafts", "a\n", "/etc"])
def test_hosts_and_files_have_plain_names(name: str, tmp_path: Path) -> None:
    hosts = LocalHosts(tmp_path)
    for host, file in ((name, "file"), ("host", name)):
        for operation in (
            hosts.get,
            hosts.digest,
            hosts.delete,
            lambda host, file: hosts.put(host, file, b""),
        ):
            with pytest.raises(ValueError, match="name"):
                operation(host, file)
    with pytest.raises(ValueError, match="name"):
        hosts.reload(name)


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "hosts").mkdir()
    os.symlink("../outside", tmp_path / "hosts" / "one")
    hosts = LocalHosts(tmp_path / "hosts")
    for data in (b"small", LARGE):
        with pytest.raises(StoreUnavailable, match="symbolic link"):
            hosts.put("one", "psinet.json", data)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_reload_is_told_to_whoever_asked_for_it(tmp_path: Path) -> None:
    told: list[str] = []
    LocalHosts(tmp_path / "hosts", told.append).reload("one")
    LocalHosts(tmp_path / "hosts").reload("other")
    assert told == ["one"]
    assert not (tmp_path / "hosts").exists()
