"""Local proxies that are not for everybody: with a password, and on Unix sockets. Asked by curl."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.e2e.test_proxy_failures import PROXY_FAILED
from tests.interop.programs import curl, program, run
from tests.processes import Client, Way, connected_client, make_server, running_client, running_server

from headrace.testing.origin import PAGE, Origin

pytestmark = pytest.mark.asyncio(loop_scope="module")

USER, PASSWORD = "somebody", "corréct horse"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def entry(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The entry of a running server."""
    directory = tmp_path_factory.mktemp("access") / "server"
    entry = make_server(directory)
    async with running_server(directory):
        yield entry


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(entry: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client whose proxies ask for a password."""
    settings = {"LocalProxyUsername": USER, "LocalProxyPassword": PASSWORD}
    async with running_client(tmp_path_factory.mktemp("access") / "client", entry, **settings) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def page() -> AsyncIterator[Origin]:
    async with Origin() as server:
        yield server


LOGINS = {
    "nobody": (),
    "a guess": ("--proxy-user", f"{USER}:correct horse"),
    "somebody": ("--proxy-user", f"{USER}:{PASSWORD}"),
}


@pytest.mark.parametrize("who", LOGINS)
@pytest.mark.parametrize("way", list(Way))
async def test_only_who_knows_the_password_is_served(
    client: Client, page: Origin, way: Way, who: str, tmp_path: Path
) -> None:
    tunnelling = ("--proxytunnel",) if way is Way.CONNECT else ()
    report = "%{stderr}%{exitcode} %{http_code} %{http_connect}"
    words = ("-q", "--silent", "--write-out", report, "--proxy", client.proxy(way), *tunnelling)
    done = await run(program("curl"), *words, *LOGINS[who], page.url(), directory=tmp_path)
    code, status, connect_status = map(int, done.stderr.split())
    if who == "somebody" and way is not Way.SOCKS4A:  # which has no passwords
        assert (code, status, done.stdout) == (0, 200, PAGE)
    else:
        assert not page.requests
        match way:
            case Way.HTTP:
                assert status == 407
            case Way.CONNECT:
                assert connect_status == 407
            case _:
                assert code == PROXY_FAILED


async def test_unix_sockets(entry: str, page: Origin, tmp_path: Path) -> None:
    socks, http = tmp_path / "socks", tmp_path / "http"
    settings = {
        "UseUnixDomainSockets": True,
        "LocalSocksProxyUnixPath": str(socks),
        "LocalHttpProxyUnixPath": str(http),
    }
    async with connected_client(tmp_path / "client", entry, **settings):
        proxy = f"socks5h://localhost{socks}"
        assert await curl("--proxy", proxy, page.url(), directory=tmp_path) == PAGE
        # curl knows no HTTP proxies on Unix sockets, but can be made to ask as it would ask one.
        words = ("--unix-socket", http, "--request-target", page.url())
        assert await curl(*words, "http://localhost/", directory=tmp_path) == PAGE
    assert not socks.exists()
    assert not http.exists()
