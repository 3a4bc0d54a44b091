"""Every test gets the loops, networks and markers that ship in `headrace.testing`."""

import pytest

pytest_plugins = ["headrace.testing.plugin"]


@pytest.fixture(autouse=True)
def _no_traces(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A client that is not told where to keep things keeps them where this test alone looks."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
