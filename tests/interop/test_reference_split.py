"""Split tunnelling between our programs and the deployed ones: each site sees who connects to it.

HEADRACE_PSIPHOND, HEADRACE_CONSOLE_CLIENT   where the programs are; without them these tests are skipped
"""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from tests.callers import Site
from tests.geoip_database import write_database
from tests.interop.ours import our_client, our_server
from tests.interop.programs import curl
from tests.interop.reference import console_client, psiphond

pytestmark = [pytest.mark.reference, pytest.mark.timeout(90)]

#: The client comes from the first of these.
COUNTRIES = {"127.0.0.1/32": "DE", "127.0.0.2/32": "FR", "127.0.0.3/32": "IT"}
SPLIT = pytest.mark.parametrize(
    ("settings", "regions", "directly"),
    [
        ({"SplitTunnelOwnRegion": True}, '["DE"]', {"127.0.0.1"}),
        ({"SplitTunnelRegions": ["FR"]}, '["FR"]', {"127.0.0.2"}),
        (
            {"SplitTunnelOwnRegion": True, "SplitTunnelRegions": ["FR"]},
            '["DE","FR"]',
            {"127.0.0.1", "127.0.0.2"},
        ),
        ({}, "", set()),
    ],
    ids=["own", "listed", "both", "none"],
)


async def visit(socks_port: int, sites: list[Site], process: int, directory: Path) -> set[str]:
    """Fetch from each site twice; return those that this process connected to by itself."""
    for _ in range(2):
        for site in sites:
            proxy = f"socks5h://127.0.0.1:{socks_port}"
            assert await curl("--proxy", proxy, site.url(), directory=directory) == b"here\n"
    for site in sites:
        assert len(site.callers) == 2
        assert len(set(site.callers)) == 1
    return {site.host for site in sites if site.callers[0] == process}


def said(lines: str, regions: str, directly: set[str], sites: list[Site]) -> None:
    """Check that the client told of countries and of what it connected to by itself, and of no more."""
    told = f'{{"data":{{"regions":{regions}}},"noticeType":"SplitTunnelRegions"'
    assert (told in lines) == bool(regions)
    assert ("SplitTunnelRegions" in lines) == bool(regions)
    for site in sites:
        told = f'{{"data":{{"address":"{site.host}:{site.port}"}},"noticeType":"Untunneled"'
        assert (told in lines) == (site.host in directly)


@pytest_asyncio.fixture
async def sites() -> AsyncIterator[list[Site]]:
    async with AsyncExitStack() as stack:
        hosts = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
        yield [await stack.enter_async_context(Site(host=host)) for host in hosts]


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(write_database(tmp_path / "countries.mmdb", COUNTRIES))


@SPLIT
@pytest.mark.parametrize("encoding", ["cbor", "json"])
async def test_their_client_our_server(
    tmp_path: Path,
    database: str,
    sites: list[Site],
    settings: dict[str, object],
    regions: str,
    directly: set[str],
    encoding: str,
) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        geo_ip = {"GeoIPDatabaseFilenames": [database]}
        server = await enter(our_server(tmp_path / "server", key="rsa", overrides=geo_ip))
        fields = {"TargetServerEntry": server.encoded_entry, "TargetAPIEncoding": encoding, **settings}
        client, port = await enter(console_client(tmp_path / "client", "OSSH", fields))
        assert await visit(port, sites, client.process.pid, tmp_path) == directly
        said("\n".join(client.lines), regions, directly, sites)


@SPLIT
@pytest.mark.parametrize("encoding", ["cbor", "json"])
async def test_our_client_their_server(
    tmp_path: Path,
    database: str,
    sites: list[Site],
    settings: dict[str, object],
    regions: str,
    directly: set[str],
    encoding: str,
) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        entry = await enter(psiphond(tmp_path / "server", GeoIPDatabaseFilenames=[database]))
        fields = {"TargetAPIEncoding": encoding, **settings}
        client, notices = await enter(our_client(entry, "OSSH", **fields))
        assert await visit(client.ports["Socks"], sites, os.getpid(), tmp_path) == directly
        said(notices.getvalue(), regions, directly, sites)
