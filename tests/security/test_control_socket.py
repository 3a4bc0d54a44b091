"""Attack: somebody on the same machine talks to the control socket, or sits where a client should be.

Who may connect at all, and what a place has to be like, is tested with the modules themselves.
"""

import asyncio
import json
import os
import random
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.store_contents import SetClock

from headrace.client.control import Control
from headrace.client.control_client import find
from headrace.client.control_place import ControlPlace, usable_place
from headrace.client.status import StatusBoard
from headrace.establishment.journal import Journal
from headrace.net.line_server import MAX_CONNECTIONS

STATUS = b'{"command":"status"}\n'


class Client:
    def __init__(self, place: ControlPlace) -> None:
        self.path = str(place.socket)
        self.stops = 0
        clock = SetClock()
        self.control = Control(StatusBoard(clock, process=os.getpid()), Journal(), self._stop, clock)

    def _stop(self) -> None:
        self.stops += 1

    async def say(self, data: bytes) -> bytes:
        """Return all that is answered."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(data)
        writer.write_eof()
        try:
            return await reader.read()
        except ConnectionResetError:  # it hung up before it had heard us out
            return b""
        finally:
            writer.close()


@pytest_asyncio.fixture
async def client(control_place: ControlPlace) -> AsyncIterator[Client]:
    client = Client(control_place)
    async with client.control.listening(control_place):
        yield client


async def test_nothing_but_a_whole_request_does_anything(client: Client) -> None:
    """Random bytes, and a request to stop with a byte changed or its end cut off."""
    draw, stop = random.Random(1), b'{"command":"stop"}\n'
    for _ in range(300):
        match draw.randrange(3):
            case 0:
                data = draw.randbytes(draw.randrange(3000))
            case 1:
                data = stop[: draw.randrange(len(stop))]
            case _:
                place = draw.randrange(len(stop) - 1)
                data = stop[:place] + bytes([stop[place] ^ 1 << draw.randrange(7)]) + stop[place + 1 :]
        for answer in (await client.say(data)).splitlines():
            assert list(json.loads(answer)) == ["error"], data
    assert client.stops == 0
    assert b'"state"' in await client.say(STATUS)


async def test_a_request_without_end_is_not_kept(client: Client) -> None:
    answer = await client.say(b"x" * 10_000_000)
    assert len(answer) < 200
    assert b'"state"' in await client.say(STATUS)


async def test_whoever_takes_all_places_has_them_no_longer_than_it_stays(client: Client) -> None:
    crowd = [await asyncio.open_unix_connection(client.path) for _ in range(4 * MAX_CONNECTIONS)]
    for _, writer in crowd:
        writer.close()
    for _ in range(100):
        if b'"state"' in await client.say(STATUS):
            break
    else:
        pytest.fail("nobody is answered any more")


def test_a_link_in_the_sockets_place_costs_nobody_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    precious = tmp_path / "precious"
    precious.write_text("x")
    place = usable_place()
    place.socket.symlink_to(precious)
    with place.held():
        assert not place.socket.is_symlink()
    assert precious.read_text() == "x"


def test_a_socket_where_others_can_write_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Someone who is quicker to make the directory in /tmp hears no question."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    directory = tmp_path / f"headrace-{os.geteuid()}"
    directory.mkdir()
    directory.chmod(0o777)
    with socket.socket(socket.AF_UNIX) as impostor:
        impostor.bind(str(directory / "default.socket"))
        impostor.listen()
        impostor.setblocking(False)
        assert find("default") is None
        with pytest.raises(BlockingIOError):
            impostor.accept()
