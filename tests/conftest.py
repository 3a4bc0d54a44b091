"""Every test gets the loops, networks and markers that ship in `headrace.testing`."""

import functools
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest
from tests.notice_schema import check_notice
from tests.postgresql import Cluster, running_cluster

from headrace.client.control_place import ControlPlace, usable_place
from headrace.client.notices import Notices

pytest_plugins = ["headrace.testing.plugin"]

# How long an example takes says something of the machine only.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _no_traces(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A client that is not told where to keep things keeps them where this test alone looks."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))


@pytest.fixture
def control_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlace]:
    """Where a running client is found, held by this test."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    place = usable_place()
    with place.held():
        yield place


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """Children heed Ctrl-C and a closed terminal even where we were started in the background."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    if before[signal.SIGINT] is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if before[signal.SIGHUP] is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def _notices_are_as_declared() -> Iterator[None]:
    """Whatever a client says in a test is what docs/notices.schema.json has programs expect."""
    emit = Notices.emit

    @functools.wraps(emit)
    def checked(
        notices: Notices, name: str, /, network: Mapping[str, object] | None = None, **data: object
    ) -> None:
        check_notice(name, {**data, **(network or {})})
        emit(notices, name, network, **data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Notices, "emit", checked)
        yield


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[Cluster]:
    """A PostgreSQL for all tests of this process."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def postgresql_url(postgresql_cluster: Cluster) -> Iterator[str]:
    """An empty database of PostgreSQL."""
    with postgresql_cluster.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a network can be made, in each kind of database."""
    if request.param == "sqlite":
        return str(tmp_path / "network" / "network.db")
    url: str = request.getfixturevalue("postgresql_url")
    return url
