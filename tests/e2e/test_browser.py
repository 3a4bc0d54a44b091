"""A browser through the local proxies: Chromium, without a window, which is to go nowhere else."""

import json
from pathlib import Path

import pytest
from tests.e2e.test_programs import here
from tests.everyday import Everyday
from tests.interop.programs import complete, program
from tests.processes import Way
from tests.tiles import MESSAGE, SIZE, TILES, TilePage, colour, colours_in

__all__ = ["here"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: There are no hosts but this machine, whatever a browser wants from others on its own behalf; and no names
#: but for the proxy to know.
QUIET = (
    "--host-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
)


@pytest.mark.parametrize("way", [Way.SOCKS5, Way.HTTP])
async def test_thirty_things_at_once_and_a_websocket(here: Everyday, way: Way, tmp_path: Path) -> None:
    page = TilePage(here.echo_port)
    async with page.serve():
        image = await look_at(page.url, here.client.proxy(way), tmp_path)
    assert sorted(page.asked) == sorted(
        ["GET /", "POST /report", *(f"GET /{number}.svg" for number in range(TILES))]
    )
    assert page.reports == [MESSAGE]
    assert colours_in(image) == {colour(number) for number in range(TILES)}


async def look_at(url: str, proxy: str, directory: Path) -> bytes:
    """Return an image of a page when it is loaded.

    Raises AssertionError if the browser turned to anybody but the proxy.
    """
    scheme, _, address = proxy.partition("://")
    await complete(
        program("chromium"),
        "--headless",
        "--no-sandbox",  # it refuses to have one when root runs it
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--user-data-dir=profile",
        f"--window-size={SIZE[0]},{SIZE[1]}",
        f"--proxy-server={scheme.removesuffix('h')}://{address}",
        "--proxy-bypass-list=<-loopback>",  # else it goes to this machine directly
        *QUIET,
        "--log-net-log=log.json",
        "--screenshot=page.png",
        url,
        directory=directory,
    )
    log = json.loads((directory / "log.json").read_text())
    kinds = log["constants"]["logEventTypes"]

    def told(kind: str) -> list[dict[str, str]]:
        return [
            event["params"] for event in log["events"] if event["type"] == kinds[kind] and "params" in event
        ]

    assert {attempt["address"] for attempt in told("TCP_CONNECT_ATTEMPT") if "address" in attempt} == {
        address
    }
    assert not told("UDP_BYTES_SENT")
    return (directory / "page.png").read_bytes()
