"""The HTTP front before a real web server: what strangers hear is what it says, byte for byte."""

import asyncio
import os
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
from tests.interop.programs import program, running, unused_port
from tests.visitors import NGINX, Visit, draw_visits, make, write_site

from headrace.base.rng import SeededRng
from headrace.testing.loopback import LoopbackServer

VISITS = int(os.environ.get("HEADRACE_FRONT_VISITS", "300"))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[int]:
    """Run a web server; give its port. It also listens on a socket in its directory, `tmp_path`."""
    write_site(tmp_path)
    port = unused_port()
    # Started by root, workers would become somebody who may not look into our directories.
    user = "user root root;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(NGINX.format(user=user, port=port, socket=tmp_path / "socket"))
    command = (program("nginx"), "-p", tmp_path, "-e", "stderr", "-c", "nginx.conf")
    async with running(*command, directory=tmp_path) as nginx:
        await nginx.says("start worker process ")
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
