"""`headrace server status`: what it makes of a server that answers, vanishes, or is given up on."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
import pytest
from tests.unit.cli.running import run

from headrace.base.errors import NetworkError
from headrace.server import control_client
from headrace.server.status import ServerStatus, State

STATUS = ServerStatus(version="1", process=7, state=State.SERVING, seconds=1.0)
PAUSED = msgspec.structs.replace(STATUS, state=State.PAUSED)


class Server(AbstractContextManager["Server"]):
    """Answers one thing after the other."""

    def __init__(self, answers: list[ServerStatus | BaseException]) -> None:
        self._answers: Iterator[ServerStatus | BaseException] = iter(answers)

    def __exit__(self, *error: object) -> None:
        """Nothing is held."""

    def status(self) -> ServerStatus:
        answer = next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.mark.parametrize(
    ("answers", "code", "shown"),
    [
        ([STATUS, KeyboardInterrupt()], 0, 1),
        ([STATUS, PAUSED, KeyboardInterrupt()], 1, 2),
        ([STATUS, NetworkError("the server has ended")], 1, 1),
        ([KeyboardInterrupt()], 1, 0),
    ],
)
def test_watching_until_somebody_has_enough(
    answers: list[ServerStatus | BaseException],
    code: int,
    shown: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(control_client, "find_server", lambda place: Server(answers))
    monkeypatch.setattr("headrace.cli.server_status.PERIOD", 0.0)
    result = run("server", "status", "--data-directory", tmp_path, "--watch", "--json")
    assert (result.code, len(result.lines)) == (code, shown)
