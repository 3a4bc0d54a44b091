"""A client that others can ask, wired to notices and a journal."""

import asyncio
import io
from pathlib import Path

import pytest

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import OperatorError
from headrace.client.attended import attended
from headrace.client.control_client import find
from headrace.client.control_place import ControlPlace
from headrace.client.journal_file import JournalFile
from headrace.client.notices import Notices
from headrace.client.status import State, Status
from headrace.establishment.journal import Journal


def ask() -> Status:
    client = find("default")
    assert client is not None
    with client:
        return client.status()


@pytest.mark.both_loops
async def test_notices_reach_who_asks_and_the_journal_its_file(
    control_place: ControlPlace, tmp_path: Path
) -> None:
    notices, journal = Notices(io.StringIO(), SYSTEM_CLOCK), Journal()
    async with attended(control_place, notices, journal, lambda: None, data=tmp_path, address="0.0.0.0"):
        notices.emit("ConnectingServer", diagnosticID="x", region="NL", protocol="SSH", candidateNumber=1)
        notices.emit("Tunnels", count=1)
        journal.begin(1.0, 2.0)
        status = await asyncio.to_thread(ask)
    assert (status.state, status.attempts, status.address) == (State.CONNECTED, 1, "127.0.0.1")
    kept = JournalFile(tmp_path).read()
    assert kept is not None and kept.begun == 2.0
    assert control_place.data() == tmp_path
    assert not control_place.socket.exists() or find("default") is None


async def test_without_a_data_directory_all_is_in_the_runtime_directory(control_place: ControlPlace) -> None:
    notices, journal = Notices(io.StringIO(), SYSTEM_CLOCK), Journal()
    async with attended(control_place, notices, journal, lambda: None, data=None, address="127.0.0.1"):
        journal.begin(1.0, 2.0)
    assert control_place.data() == control_place.directory
    assert JournalFile(control_place.directory, control_place.name).read() is not None


async def test_a_socket_that_cannot_be_made(control_place: ControlPlace) -> None:
    control_place.socket.mkdir()
    notices = Notices(io.StringIO(), SYSTEM_CLOCK)
    try:
        with pytest.raises(OperatorError, match="control socket"):
            async with attended(control_place, notices, Journal(), lambda: None, data=None, address=""):
                pass
    finally:
        control_place.socket.rmdir()
