"""Storage to publish lists in, started when a test first asks for it, and shared: take a `prefix()` each."""

from collections.abc import Iterator

import pytest
from tests.certificates import Authority
from tests.e2e.storage import Storage, object_storage, web_server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who vouches for the servers below."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Storage]:
    """A web server with TLS."""
    with web_server(tmp_path_factory.mktemp("nginx") / "server", authority) as storage:
        yield storage


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Storage]:
    """An S3 server with TLS."""
    with object_storage(tmp_path_factory.mktemp("s3") / "server", authority) as storage:
        yield storage


@pytest.fixture(params=["nginx", "s3"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """Either of them, in turn."""
    chosen: Storage = request.getfixturevalue(request.param)
    return chosen
