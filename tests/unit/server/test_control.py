"""The server's control socket, both ends, with a service that only notes what it is told."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from headrace.base.errors import DocumentError, NetworkError
from headrace.server.control import answer_questions
from headrace.server.control_client import RunningServer, find_server
from headrace.server.control_messages import CONTROL_SOCKET, Command, Request, read_request
from headrace.server.service import Service
from headrace.server.stats.snapshot import Snapshot
from headrace.server.status import ServerStatus, State


class Scripted:
    """A service, and its supervisor."""

    def __init__(self) -> None:
        self.supervisor = self
        self.paused: set[str] = set()
        self.outcome = {0: "", 1: "rules: not JSON"}

    def pause(self, reason: str) -> None:
        self.paused.add(reason)

    def resume(self, reason: str) -> None:
        self.paused.discard(reason)

    async def reload(self) -> dict[int, str]:
        return self.outcome

    async def status(self) -> ServerStatus:
        return ServerStatus(
            version="1",
            process=7,
            state=State.PAUSED if self.paused else State.SERVING,
            seconds=2.5,
            paused=sorted(self.paused),
            figures=Snapshot(tunnels={"OSSH": 3}),
        )


@pytest_asyncio.fixture
async def service(tmp_path: Path) -> AsyncIterator[Scripted]:
    """Answers in `tmp_path` as long as the test takes."""
    scripted = Scripted()
    task = asyncio.create_task(answer_questions(cast(Service, scripted), tmp_path / CONTROL_SOCKET))
    await asyncio.sleep(0)
    yield scripted
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not (tmp_path / CONTROL_SOCKET).exists()


def ask(directory: Path, what: str) -> Any:
    """Ask the server in `directory`, from a thread."""
    server = find_server(directory)
    assert server is not None
    with server:
        return getattr(server, what)()


@pytest.mark.both_loops
async def test_questions(service: Scripted, tmp_path: Path) -> None:
    assert (tmp_path / CONTROL_SOCKET).stat().st_mode & 0o777 == 0o600
    assert await asyncio.to_thread(ask, tmp_path, "status") == await service.status()
    drained = await asyncio.to_thread(ask, tmp_path, "drain")
    assert (drained.state, drained.paused) == (State.PAUSED, ["operator"])
    service.paused.add("load")
    resumed = await asyncio.to_thread(ask, tmp_path, "resume")
    assert (resumed.state, resumed.paused) == (State.PAUSED, ["load"])
    assert await asyncio.to_thread(ask, tmp_path, "reload") == service.outcome


async def test_several_questions_on_one_connection_and_nonsense_ends_it(
    service: Scripted, tmp_path: Path
) -> None:
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / CONTROL_SOCKET))
    writer.write(b'{"command":"status"}\n{"command":"drain"}\nnonsense\n{"command":"resume"}\n')
    answers = [json.loads(line) for line in (await reader.read()).splitlines()]
    assert [next(iter(answer)) for answer in answers] == ["version", "version", "error"]
    assert "status, drain, resume, reload" in answers[2]["error"]
    assert service.paused == {"operator"}
    writer.close()


async def test_a_socket_that_cannot_be_had_is_told_and_no_failure(
    service: Scripted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path in (tmp_path / CONTROL_SOCKET, tmp_path / "missing" / "socket"):
        await answer_questions(cast(Service, service), path)
    assert [record.getMessage() for record in caplog.records] == ["nobody can ask this server how it is"] * 2


def test_where_no_server_runs(tmp_path: Path) -> None:
    assert find_server(tmp_path) is None


@pytest.mark.parametrize("command", list(Command))
def test_requests(command: Command) -> None:
    assert read_request(b'{"command":"%s"}\n' % command.encode()) == Request(command)


@pytest.mark.parametrize("line", [b"", b"status\n", b"{}", b'{"command":1}', b"\xff", b"[" * 1000])
def test_what_is_no_request(line: bytes) -> None:
    with pytest.raises(DocumentError, match="status, drain, resume, reload"):
        read_request(line)


@pytest.mark.parametrize("question", ["status", "reload"])
@pytest.mark.parametrize(
    ("answer", "error"), [(b"", NetworkError), (b"[]\n", DocumentError), (b"\xff\n", DocumentError)]
)
def test_a_strange_answer(question: str, answer: bytes, error: type[Exception]) -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(answer)
    theirs.shutdown(socket.SHUT_WR)
    with theirs, RunningServer(ours) as server, pytest.raises(error):
        getattr(server, question)()
