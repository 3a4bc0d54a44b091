"""A real browser and the proxy auto-configuration file: which hosts go where, and a page by that way."""

import html
import json
import re
from pathlib import Path

from tests.interop.programs import complete, program

from headrace.base.errors import NetworkError
from headrace.client.http_proxy import HttpProxy
from headrace.client.pac import auto_configuration
from headrace.client.proxy_options import ProxyOptions
from headrace.net.dial import listen
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.forwarding import Destination
from headrace.testing.memory_tunnel import MemoryTunnel
from headrace.testing.origin import Origin

TUNNELED = [
    "a.example",
    "10.example",
    "10.0.0.1.example",
    "127.0.0.1.example",
    "192.168.1.1.example",
    "a10.0.0.1",
    "localhost.example",
    "notlocalhost.example",
    "a.notlocal",
    "local.example",
    "8.8.8.8",
    "11.0.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.169.0.1",
    "169.253.0.1",
    "2001:db8::1",
    "fec::1",
    "fc0::1",
    "::2",
    "134744072",
    "0x8080808",
    "",
]
DIRECT = [
    "localhost",
    "LOCALHOST",
    "a.localhost",
    "printer.local",
    "printer",
    "my-nas2",
    "127.0.0.1",
    "127.255.0.9",
    "10.20.30.40",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.1.1",
    "::1",
    "[::1]",
    "fe80::1",
    "febf::1:2",
    "fd00::1",
    "fc00:1::",
]


#: Nothing is looked up, and nobody is turned to on the browser's own behalf.
QUIET = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
)


class NamedOrigin(MemoryTunnel):
    """A tunnel whose far end knows one name, the origin's: the browser asks for others of its own."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def open_forward(self, destination: Destination, endpoint: Endpoint) -> Channel:
        if destination != Destination("a.example", 80):
            raise NetworkError("there is nobody else")
        return super().open_forward(Destination("127.0.0.1", self._port), endpoint)


async def browse(url: str, directory: Path, *options: str) -> str:
    """Return a page's text as it is when its scripts have run."""
    browser = (program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
    page = await complete(
        *browser, "--user-data-dir=profile", *QUIET, *options, "--dump-dom", url, directory=directory
    )
    return html.unescape(re.sub("<[^>]*>", "", page.decode()))


async def test_which_hosts_go_where(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        f"<body></body><script>{auto_configuration('127.0.0.1:8080', '127.0.0.1:1080')}"
        f"document.body.textContent = JSON.stringify({json.dumps([*TUNNELED, *DIRECT])}.map("
        "host => FindProxyForURL('http://' + host + '/', host)))</script>"
    )
    text = await browse(page.as_uri(), tmp_path)
    ways = json.loads(text[text.index("[") : text.index("]") + 1])
    assert ways == ["PROXY 127.0.0.1:8080; SOCKS5 127.0.0.1:1080"] * len(TUNNELED) + ["DIRECT"] * len(DIRECT)


async def test_a_browser_finds_the_proxy_by_it(origin: Origin, tmp_path: Path) -> None:
    async with NamedOrigin(origin.port) as tunnel:
        http = HttpProxy(tunnel, ProxyOptions())
        proxy = await listen(http.connection, "127.0.0.1", 0, what="the proxy")
        async with proxy:
            port = proxy.sockets[0].getsockname()[1]
            text = await browse(
                "http://a.example/", tmp_path, f"--proxy-pac-url=http://127.0.0.1:{port}/proxy.pac"
            )
    assert "This page came through the tunnel." in text
    assert origin.requests[0] == "GET /"
