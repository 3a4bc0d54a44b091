"""Split tunnelling with everything in processes: a site sees who connects to it, the client or the server."""

import json
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.callers import Site
from tests.geoip_database import write_database
from tests.interop.programs import curl
from tests.processes import Way, make_server, running_client, running_server

#: The client comes from the first of these.
COUNTRIES = {"127.0.0.1/32": "DE", "127.0.0.2/32": "FR", "127.0.0.3/32": "IT"}


def server(directory: Path) -> str:
    """Write the files of a server that knows the countries; return its entry."""
    directory.mkdir()
    database = write_database(directory / "countries.mmdb", COUNTRIES)
    return make_server(directory / "server", GeoIPDatabaseFilenames=[str(database)])


@pytest.mark.parametrize("way", list(Way))
async def test_each_site_is_reached_the_way_it_is_to_be(way: Way, tmp_path: Path) -> None:
    entry = server(tmp_path / "files")
    settings = {
        "SplitTunnelOwnRegion": True,
        "SplitTunnelRegions": ["FR"],
        "SplitTunnelExcludedHosts": ["127.0.0.4/30"],
    }
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        sites = [await enter(Site(host=f"127.0.0.{number}")) for number in (1, 2, 3, 5)]
        await enter(running_server(tmp_path / "files" / "server"))
        client = await enter(running_client(tmp_path / "client", entry, **settings))
        await client.program.says('{"data":{"regions":["DE","FR"]},"noticeType":"SplitTunnelRegions"')
        for _ in range(2):
            for site in sites:
                tunnel = ["--proxytunnel"] if way is Way.CONNECT else []
                told = await curl(*tunnel, "--proxy", client.proxy(way), site.url(), directory=tmp_path)
                assert told == b"here\n"
        own, listed, tunnelled, excluded = (site.callers for site in sites)
        process = client.program.process.pid
        assert own == listed == excluded == [process] * 2
        assert len(tunnelled) == 2
        assert process not in tunnelled
        lines = [json.loads(line) for line in client.program.lines if "Untunneled" in line]
        shown = {line["data"]["address"] for line in lines}
        assert shown == {f"{site.host}:{site.port}" for site in sites if site.callers is not tunnelled}


async def test_a_new_database_is_taken_in_use_and_a_bad_one_is_not(tmp_path: Path) -> None:
    entry = server(tmp_path / "files")
    database = tmp_path / "files" / "countries.mmdb"
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        site = await enter(Site(host="127.0.0.3"))
        program = await enter(running_server(tmp_path / "files" / "server"))
        client = await enter(running_client(tmp_path / "client", entry, SplitTunnelOwnRegion=True))

        async def direct() -> bool:
            await curl("--proxy", client.proxy(Way.SOCKS5), site.url(), directory=tmp_path)
            return site.callers[-1] == client.program.process.pid

        async def reload() -> str:
            after = len(program.lines)
            program.process.send_signal(signal.SIGHUP)
            return await program.says("reloaded", after)

        assert not await direct()
        database.write_bytes(b"")
        assert "countries.mmdb is no database" in await reload()
        assert not await direct()
        write_database(database, {"127.0.0.3/32": "DE"})
        assert "not reloaded" not in await reload()
        assert await direct()
