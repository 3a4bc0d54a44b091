"""A put that is verified: what a store returns is compared with what it took."""

from pathlib import Path

import pytest

from headrace.base.errors import OperatorError
from headrace.network.publish.stores.directory import DirectoryStore
from headrace.network.publish.stores.store import NotAsUploaded, StoreUnavailable, put_verified
from headrace.network.publish.stores.stored import StoredObject

ITEM = StoredObject("server_list", b"the list")


class LyingStore(DirectoryStore):
    """Takes everything, and returns `answer`."""

    answer: bytes | None = None

    def get(self, name: str) -> bytes | None:
        super().get(name)
        return self.answer


def test_what_arrived_is_there(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    put_verified(store, ITEM)
    assert (tmp_path / "server_list").read_bytes() == b"the list"


@pytest.mark.parametrize(
    ("answer", "found"), [(None, "nothing"), (b"the lisT", "8 other bytes"), (b"", "0 other bytes")]
)
def test_a_store_that_returns_something_else_is_caught(
    answer: bytes | None, found: str, tmp_path: Path
) -> None:
    store = LyingStore(tmp_path)
    store.answer = answer
    with pytest.raises(NotAsUploaded, match=f"server_list \\(8 bytes\\) and returns {found}: publish again"):
        put_verified(store, ITEM)


def test_nothing_is_fetched_when_the_put_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_store: object, _item: StoredObject) -> None:
        raise StoreUnavailable("down")

    store = LyingStore(tmp_path)
    store.answer = ITEM.data
    monkeypatch.setattr(DirectoryStore, "put", fail)
    with pytest.raises(StoreUnavailable, match="down"):
        put_verified(store, ITEM)


def test_a_person_has_to_act_on_both_errors() -> None:
    assert issubclass(StoreUnavailable, OperatorError)
    assert issubclass(NotAsUploaded, OperatorError)
