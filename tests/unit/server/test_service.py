"""The server as a whole: what the service manager is told, and when."""

import pytest

from headrace.server.sd_notify import Notifier
from headrace.server.service import Service


class Heard(Notifier):
    """A service manager, as far as it matters here."""

    def __init__(self) -> None:
        super().__init__({})
        self.words: list[str] = []

    def ready(self, status: str) -> None:
        self.words.append("ready")

    def reloading(self) -> None:
        self.words.append("reloading")

    def stopping(self, seconds: float) -> None:
        self.words.append("stopping")


@pytest.fixture
def manager() -> Heard:
    return Heard()


async def test_a_reload_before_the_server_is_ready_or_after_it_was_is_not_told(manager: Heard) -> None:
    service = Service(["a-worker"], 1, drain=1.0, notifier=manager)
    assert await service.reload() == {}
    assert manager.words == []  # a READY=1 would have said that every worker listens
    service._ready("OSSH on port 53")
    await service.reload()
    assert manager.words == ["ready", "reloading", "ready"]
    service._stop()
    await service.reload()
    assert manager.words == ["ready", "reloading", "ready", "stopping"]
