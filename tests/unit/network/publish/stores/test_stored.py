"""Objects to be published, and which names are good."""

import hashlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.network.publish.stores.directory import DirectoryStore
from headrace.network.publish.stores.hosts import LocalHosts
from headrace.network.publish.stores.stored import StoredObject, check_name, check_prefix

BAD_NAMES = ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\\b", "a\nb", "a\0", "\ud800"]
BAD_NAMES += [
    "\u202e",
    ".drafts",
    ".drafts/lock",
    "a/.draft-1",
    "a" * 256,
    "é" * 128,
    "/".join(["a" * 200] * 6),
]

BAD_METADATA = [{"Version": "1"}, {"a_b": "1"}, {"": "1"}, {"sha256": "0"}, {"a": ""}, {"a": "é"}]
BAD_METADATA += [{"a": "1\r\nb: 2"}, {"a": " 1"}, {"a": "1" * 2048}]

#: Text of which much is nearly a way out of a directory.
AWKWARD = st.one_of(
    st.text(alphabet="../\\ab~\0\n", max_size=12),
    st.lists(st.sampled_from(["..", ".", "", "a", "b.c", ".drafts", "lock", ".pool", "é"]), max_size=5).map(
        "/".join
    ),
    st.text(max_size=20),
)


@pytest.mark.parametrize(
    "name", ["a", "server_list_compressed", "osl/osl-registry", ".well-known/x", "de/é ü.html"]
)
def test_relative_printable_names_are_good(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", BAD_NAMES)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        check_name(name)
    with pytest.raises(ValueError, match="name"):
        StoredObject(name, b"")


def test_a_prefix_may_be_empty_or_end_with_a_slash() -> None:
    assert [check_prefix(prefix) for prefix in ("", "a", "a/", "a/b/")] == ["", "a", "a/", "a/b/"]
    for bad in ("/", "a//", "../", "..", "/a/"):
        with pytest.raises(ValueError, match="name"):
            check_prefix(bad)


@given(name=AWKWARD)
def test_nothing_is_ever_written_outside_the_root(name: str) -> None:
    with tempfile.TemporaryDirectory() as outside:
        store = DirectoryStore(Path(outside) / "root" / "inner")
        try:
            store.put(StoredObject(name, b"data"))
        except ValueError:
            assert list(Path(outside).rglob("*")) == []
            for operation in (store.get, store.digest, store.delete):
                with pytest.raises(ValueError, match="name"):
                    operation(name)
        else:
            assert list(store.names()) == [name]
            files = [path for path in Path(outside).rglob("*") if path.is_file()]
            inner = Path(outside) / "root" / "inner"
            assert sorted(files) == sorted([inner / ".drafts" / "lock", inner / name])


@given(host=AWKWARD, file=AWKWARD)
def test_no_host_gets_the_files_of_another(host: str, file: str) -> None:
    with tempfile.TemporaryDirectory() as outside:
        hosts = LocalHosts(Path(outside) / "root")
        try:
            hosts.put(host, file, b"data")
        except ValueError:
            assert list(Path(outside).rglob("*")) == []
        else:
            assert "/" not in host + file
            assert (Path(outside) / "root" / host / file).read_bytes() == b"data"


def test_the_digest_is_of_the_bytes_alone() -> None:
    one = StoredObject("a", b"data", "text/plain", 60, {"version": "1"})
    other = StoredObject("b", b"data")
    assert one.sha256 == other.sha256 == hashlib.sha256(b"data").hexdigest()


def test_an_object_does_not_change_with_what_it_was_made_from() -> None:
    metadata = {"version": "1"}
    item = StoredObject("a", b"", metadata=metadata)
    metadata["version"] = "2"
    assert dict(item.metadata) == {"version": "1"}


def test_the_bytes_are_not_shown() -> None:
    assert "private" not in repr(StoredObject("a", b"private"))


@pytest.mark.parametrize("metadata", BAD_METADATA)
def test_metadata_is_what_headers_can_carry(metadata: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="metadata"):
        StoredObject("name", b"", metadata=metadata)


@pytest.mark.parametrize("content_type", ["text", "text/html\r\n", "Text/HTML", "", "text/html; charset"])
def test_a_content_type_is_one(content_type: str) -> None:
    with pytest.raises(ValueError, match="content type"):
        StoredObject("name", b"", content_type)
    assert StoredObject("name", b"", "text/html; charset=utf-8").content_type == "text/html; charset=utf-8"


@pytest.mark.parametrize("seconds", [-1, 10**9])
def test_cache_times_are_limited(seconds: int) -> None:
    with pytest.raises(ValueError, match="cached"):
        StoredObject("name", b"", cache_seconds=seconds)
