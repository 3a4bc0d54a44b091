"""Every test gets the loops, networks and markers that ship in `headrace.testing`."""

import signal
from collections.abc import Iterator

import pytest

pytest_plugins = ["headrace.testing.plugin"]


@pytest.fixture(autouse=True)
def _no_traces(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A client that is not told where to keep things keeps them where this test alone looks."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """Children can be interrupted even where we were started in the background, which has Ctrl-C ignored."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
