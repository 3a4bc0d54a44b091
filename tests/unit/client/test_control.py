"""Asking a running client how it is, and ending it: both ends of the control socket."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from tests.interop.programs import missing

from headrace.base.errors import DocumentError, NetworkError
from headrace.client.control import WATCH_PERIOD, Control
from headrace.client.control_client import RunningClient, find
from headrace.client.control_place import ControlPlace
from headrace.client.status import State, Status, StatusBoard
from headrace.establishment.journal import Journal
from headrace.net import line_server
from headrace.net.line_server import MAX_CONNECTIONS, PATIENCE


class Clock:
    def time(self) -> float:
        return 1_700_000_000.0

    def monotonic(self) -> float:
        return 100.0

    def boottime(self) -> float:
        return 100.0


class Client:
    """A client that does nothing but answer."""

    def __init__(self, place: ControlPlace) -> None:
        self.place = place
        self.board = StatusBoard(Clock(), process=os.getpid())
        self.journal = Journal()
        self.stopped = asyncio.Event()
        self.control = Control(self.board, self.journal, self.stopped.set, Clock())

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self.place.socket))

    async def ask(self, *requests: bytes) -> list[bytes]:
        """Return the answers to what is sent in one go, up to the end of the connection."""
        reader, writer = await self.connect()
        writer.write(b"".join(requests))
        writer.write_eof()
        answers = (await reader.read()).splitlines()
        writer.close()
        return answers


@pytest_asyncio.fixture
async def client(control_place: ControlPlace) -> AsyncIterator[Client]:
    client = Client(control_place)
    async with client.control.listening(control_place):
        yield client


@pytest.mark.both_loops
async def test_the_socket_is_its_users_alone(client: Client) -> None:
    assert os.stat(client.place.socket).st_mode & 0o777 == 0o600


@pytest.mark.both_loops
async def test_several_questions_on_a_connection(client: Client) -> None:
    client.board.hear("Tunnels", {"count": 1})
    first, second, third = await client.ask(
        b'{"command":"status"}\n', b'{"command":"explain"}\n', b'{"command":"status"}\n'
    )
    assert Status.from_json(first) == client.board.status() == Status.from_json(third)
    assert second == b"null"
    assert not client.stopped.is_set()


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"status\n",
        b'{"command":"explode"}\n',
        b"x" * 5000,
        b"\xff" * 1025 + b"\n",
        b"[" * 1000 + b"\n",
    ],
)
async def test_nonsense_ends_a_connection_and_nothing_else(client: Client, line: bytes) -> None:
    answers = await client.ask(line, b'{"command":"stop"}\n')
    assert [list(json.loads(answer)) for answer in answers] == [["error"]]
    assert not client.stopped.is_set()
    assert len(await client.ask(b'{"command":"status"}\n')) == 1


async def test_half_a_request_is_none(client: Client) -> None:
    assert await client.ask(b'{"command":"stop"}') == []
    assert not client.stopped.is_set()


@pytest.mark.virtual_time
async def test_who_says_nothing_is_let_go(client: Client) -> None:
    loop = asyncio.get_running_loop()
    reader, writer = await client.connect()
    begun = loop.time()
    assert await reader.read() == b""
    assert loop.time() - begun == pytest.approx(PATIENCE)
    writer.close()


@pytest.mark.virtual_time
async def test_connections_are_bounded(client: Client) -> None:
    held = [await client.connect() for _ in range(MAX_CONNECTIONS)]
    held[0][1].write(b'{"command":"status"}\n')
    assert await held[0][0].readline()
    reader, writer = await client.connect()
    begun = asyncio.get_running_loop().time()
    assert await reader.read() == b""
    assert asyncio.get_running_loop().time() == begun
    for _, other in [*held, (reader, writer)]:
        other.close()


@pytest.mark.virtual_time
async def test_a_watcher_is_told_what_changes_and_not_more_often_than_it_can_be_read(client: Client) -> None:
    loop = asyncio.get_running_loop()
    reader, writer = await client.connect()
    writer.write(b'{"command":"watch"}\n')
    assert Status.from_json(await reader.readline()).attempts == 0
    begun = loop.time()
    for _ in range(50):
        client.board.hear("ConnectingServer", {"region": "NL"})
    assert Status.from_json(await reader.readline()).attempts == 50
    assert loop.time() - begun == pytest.approx(WATCH_PERIOD)
    await asyncio.sleep(1000)  # nothing happens for long
    client.board.hear("Tunnels", {"count": 1})
    assert Status.from_json(await reader.readline()).state is State.CONNECTED
    assert loop.time() - begun == pytest.approx(1000 + WATCH_PERIOD)
    writer.close()


@pytest.mark.virtual_time
async def test_a_watcher_that_goes_leaves_nothing_behind(client: Client) -> None:
    reader, writer = await client.connect()
    writer.write(b'{"command":"watch"}\n' + b"x" * 100_000)
    await reader.readline()
    writer.close()
    await asyncio.sleep(1)
    assert client.board._watchers == []
    assert not client.control._server._connections


@pytest.mark.virtual_time
async def test_a_watcher_that_does_not_read_is_let_go(client: Client) -> None:
    _, writer = await client.connect()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(b'{"command":"watch"}\n')
    for number in range(3000):
        client.board.hear("Error", {"message": f"{number} {'x' * 400}"})
        await asyncio.sleep(WATCH_PERIOD)
        if number > 10 and not client.control._server._connections:
            break
    assert not client.control._server._connections
    writer.close()


@pytest.mark.both_loops
async def test_a_watcher_hears_the_last_of_it(control_place: ControlPlace) -> None:
    client = Client(control_place)
    async with client.control.listening(control_place):
        reader, writer = await client.connect()
        writer.write(b'{"command":"watch"}\n')
        await reader.readline()
        client.board.hear("EstablishTunnelTimeout", {"timeout": "5m0s"})
        client.board.hear("Exiting", {})
    last = Status.from_json((await reader.read()).splitlines()[-1])
    assert (last.state, last.problem) == (State.ENDED, "no server could be reached within 5m0s")
    writer.close()


async def test_strangers_are_not_answered(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_server, "_is_same_user", lambda writer: False)
    reader, writer = await client.connect()
    assert await reader.read() == b""
    writer.close()


@pytest.mark.root
async def test_another_user_is_a_stranger(client: Client) -> None:
    """Even one who was let into the directory."""
    if os.geteuid():
        missing("root, to be somebody else,")
    temporary = Path(tempfile.gettempdir())
    for directory in (client.place.directory, *client.place.directory.parents):
        if temporary in directory.parents:
            directory.chmod(0o755)
    client.place.socket.chmod(0o666)
    code = (
        "import os, socket, sys; os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        'try: s.sendall(b\'{"command":"stop"}\\n\'); print(s.recv(100))\n'
        "except (BrokenPipeError, ConnectionResetError): print(b'')"
    )
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(client.place.socket), stdout=subprocess.PIPE
    )
    output, _ = await program.communicate()
    assert output == b"b''\n"
    assert not client.stopped.is_set()


# ---- the asking end ---------------------------------------------------------------------------------------


async def asked(ask: Callable[[RunningClient], object]) -> object:
    def run() -> object:
        found = find("default")
        assert found is not None
        with found:
            return ask(found)

    return await asyncio.to_thread(run)


@pytest.mark.both_loops
async def test_asking(client: Client) -> None:
    assert await asked(lambda found: found.status()) == client.board.status()
    assert await asked(lambda found: found.explain()) is None
    client.journal.begin(90.0, 5.0)
    assert await asked(lambda found: found.explain()) == client.journal.record(100.0)
    assert await asked(lambda found: found.process) == os.getpid()


async def test_watching_until_it_ends(control_place: ControlPlace) -> None:
    client = Client(control_place)
    states: list[State] = []

    def watch(found: RunningClient) -> None:
        for status in found.watch():
            states.append(status.state)
            loop.call_soon_threadsafe(seen.set)

    loop, seen = asyncio.get_running_loop(), asyncio.Event()
    async with client.control.listening(control_place):
        watching = asyncio.create_task(asked(watch))
        await seen.wait()
        client.board.hear("Exiting", {})
    await watching
    assert states[0] is State.CONNECTING
    assert states[-1] is State.ENDED


async def test_watching_for_a_time(client: Client) -> None:
    def watch(found: RunningClient) -> list[Status]:
        seen: list[Status] = []
        with pytest.raises(TimeoutError):
            seen.extend(found.watch(0.0))
        return seen

    await asked(watch)


async def test_stopping_waits_for_the_end_of_the_process(control_place: ControlPlace) -> None:
    """This one goes on, so that it is said not to have ended."""
    client = Client(control_place)

    async def end() -> None:
        async with client.control.listening(control_place):
            await client.stopped.wait()
        assert client.board.status().state is State.STOPPING

    ending = asyncio.create_task(end())
    await asyncio.sleep(0)
    assert await asked(lambda found: found.stop(0.0)) is False
    await ending


def test_nobody_runs(control_place: ControlPlace) -> None:
    assert find("default") is None
    assert find("other") is None


def test_a_socket_that_was_left_is_nobody(control_place: ControlPlace) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(control_place.socket))
    assert find("default") is None


def test_a_client_in_a_directory_that_others_can_write_is_not_trusted(control_place: ControlPlace) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(control_place.socket))
        listener.listen()
        control_place.directory.chmod(0o777)
        assert find("default") is None


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (b"", NetworkError, "has ended"),
        (b'{"state":', NetworkError, "has ended"),
        (b"{}\n", DocumentError, "no status"),
        (b"\xff\n", DocumentError, "no status"),
        (b'{"error":"what?"}\n', DocumentError, "what?"),
        (b"x" * 5_000_000, DocumentError, "too long"),
    ],
)
def test_a_strange_answer(answer: bytes, error: type[Exception], message: str) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(True)

    def answering() -> None:
        theirs.recv(100)
        try:
            theirs.sendall(answer)
        except OSError:
            pass
        theirs.close()

    thread = threading.Thread(target=answering)
    thread.start()
    with RunningClient(ours) as client, pytest.raises(error, match=message):
        client.status()
    thread.join()


def test_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.net.line_caller.PATIENCE", 0.0)
    ours, theirs = socket.socketpair()
    with theirs, RunningClient(ours) as client, pytest.raises(NetworkError, match="does not answer"):
        client.status()
