"""The HTTP front before a real web server: what strangers hear is what it says, byte for byte."""

import asyncio
import os
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
from tests.interop.programs import program

from headrace.base.rng import SeededRng
from headrace.resist.visitors import Visit, draw_visits, make, running_site
from headrace.testing.loopback import LoopbackNetwork, LoopbackServer

VISITS = int(os.environ.get("HEADRACE_FRONT_VISITS", "300"))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[int]:
    """Run a web server; give its port. It also listens on a socket in its directory, `tmp_path`."""
    program("nginx")
    async with running_site(tmp_path) as port:
        yield port


async def visit(port: int, what: Visit) -> bytes:
    return await make(what, *await asyncio.open_connection("127.0.0.1", port))


async def test_visitors_hear_what_the_web_server_says(site: int) -> None:
    async with LoopbackServer(HTTPFront=f"127.0.0.1:{site}") as server:
        for number, what in enumerate(draw_visits(SeededRng(7), VISITS)):
            directly = await visit(site, what)
            heard = await visit(server.worker.ports["OSSH"], what)
            assert directly.startswith(b"HTTP/1.1 ")
            assert heard[:1000] == directly[:1000], number
            assert sha256(heard).digest() == sha256(directly).digest(), number
        assert server.worker.counts["front.relayed"] == VISITS


async def test_the_web_server_learns_no_address_of_a_visitor(site: int, tmp_path: Path) -> None:
    place = str(tmp_path / "socket")
    async with LoopbackServer(HTTPFront=place) as server:
        request = Visit((b"GET /small HTTP/1.0\r\n\r\n",))
        port = server.worker.ports["OSSH"]
        heard = await make(
            request, *await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.77", 0))
        )
        assert heard.startswith(b"HTTP/1.1 200 OK")
    assert (tmp_path / "visits.log").read_text() == "unix: 200\n"


@pytest.mark.both_loops
async def test_clients_and_visitors_at_the_same_port(site: int) -> None:
    async with LoopbackNetwork(prefix=True, server={"HTTPFront": f"127.0.0.1:{site}"}) as network:
        heard = await visit(network.server.worker.ports["OSSH"], Visit((b"GET /small HTTP/1.0\r\n\r\n",)))
        assert heard.endswith(b"\r\n\r\n0")
        assert network.server.worker.tunnels == 1
        assert network.server.worker.counts["front.relayed"] == 1
