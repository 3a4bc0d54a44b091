"""A client that others can ask, wired to notices and a journal."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import OperatorError
from headrace.client.attended import attended
from headrace.client.control_client import find
from headrace.client.control_place import ControlPlace, usable_place
from headrace.client.journal_file import JournalFile
from headrace.client.notices import Notices
from headrace.client.status import State, Status
from headrace.establishment.journal import Journal


@pytest.fixture
def place(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlace]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    place = usable_place()
    with place.held():
        yield place


def ask() -> Status:
    client = find("default")
    assert client is not None
    with client:
        return client.status()


@pytest.mark.both_loops
async def test_notices_reach_who_asks_and_the_journal_its_file(place: ControlPlace, tmp_path: Path) -> None:
    notices, journal = Notices(io.StringIO(), SYSTEM_CLOCK), Journal()
    async with attended(place, notices, journal, lambda: None, data=tmp_path, address="0.0.0.0"):
        notices.emit("ConnectingServer", diagnosticID="x", region="NL", protocol="SSH", candidateNumber=1)
        notices.emit("Tunnels", count=1)
        journal.begin(1.0, 2.0)
        status = await asyncio.to_thread(ask)
    assert (status.state, status.attempts, status.address) == (State.CONNECTED, 1, "127.0.0.1")
    kept = JournalFile(tmp_path).read()
    assert kept is not None and kept.begun == 2.0
    assert place.data() == tmp_path
    assert not place.socket.exists() or find("default") is None


async def test_without_a_data_directory_all_is_in_the_runtime_directory(place: ControlPlace) -> None:
    notices, journal = Notices(io.StringIO(), SYSTEM_CLOCK), Journal()
    async with attended(place, notices, journal, lambda: None, data=None, address="127.0.0.1"):
        journal.begin(1.0, 2.0)
    assert place.data() == place.directory
    assert JournalFile(place.directory, place.name).read() is not None


async def test_a_socket_that_cannot_be_made(place: ControlPlace) -> None:
    place.socket.mkdir()
    notices = Notices(io.StringIO(), SYSTEM_CLOCK)
    try:
        with pytest.raises(OperatorError, match="control socket"):
            async with attended(place, notices, Journal(), lambda: None, data=None, address=""):
                pass
    finally:
        place.socket.rmdir()
