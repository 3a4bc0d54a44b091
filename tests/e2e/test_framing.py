"""Framed tunnels over real sockets: to somebody in the middle they are one HTTP request and its answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import h11
import pytest

from headrace.base.rng import SystemRng
from headrace.client.api import Identity
from headrace.client.tunnel import Tunnel
from headrace.documents.client_config import read_client_config
from headrace.establishment.dial_parameters import choose
from headrace.establishment.dial_settings import DialSettings
from headrace.obfuscation.default_prefix import default_prefixes
from headrace.ssh.liveness import LivenessRequest
from headrace.testing.loopback import LoopbackServer

pytestmark = pytest.mark.both_loops

CONFIG = b'{"PropagationChannelId": "FFFFFFFFFFFFFFFF", "SponsorId": "FFFFFFFFFFFFFFFF"}'
SETTINGS = DialSettings(shipped_prefixes=default_prefixes(("http-chunked",)))
UP, DOWN = 50_000, 300_000


@dataclass
class Middle:
    """What passed a relay: bytes of both directions."""

    port: int = 0
    up: bytes = b""
    down: bytes = b""


@asynccontextmanager
async def middle(target: int) -> AsyncIterator[Middle]:
    seen = Middle()
    over = asyncio.Event()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        try:
            while data := await reader.read(65536):
                setattr(seen, way, getattr(seen, way) + data)
                writer.write(data)
            writer.write_eof()
        except ConnectionError:
            pass

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pass_on(reader, far_writer, "up"), pass_on(far_reader, writer, "down"))
        writer.close()
        far_writer.close()
        over.set()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    async with server:
        yield seen
        await over.wait()


@asynccontextmanager
async def tunnel(**settings: Any) -> AsyncIterator[tuple[LoopbackServer, Tunnel, Middle]]:
    """Bring up a framed tunnel that has carried something; whoever has it ends it."""
    rng = SystemRng()
    async with LoopbackServer(**settings) as server:
        async with middle(server.entry.dial_port("OSSH")) as seen:
            attempt = choose(server.entry, "OSSH", rng, settings=SETTINGS)
            attempt = replace(attempt, port=seen.port, liveness=LivenessRequest(UP, DOWN))
            identity = Identity.from_config(read_client_config(CONFIG))
            client = Tunnel(attempt, identity, rng, lambda name, payload: None)
            await client.connect()
            await client.handshake()
            yield server, client, seen
            await client.ended


def body(stream: bytes, *, request: bool) -> tuple[bytes, bool]:
    """Return the body that a strict parser sees, and whether it is complete."""
    if request:
        parser = h11.Connection(h11.SERVER)
    else:
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method="POST", target="/", headers=[("Host", "a")]))
        parser.send(h11.EndOfMessage())
    parser.receive_data(stream)
    assert isinstance(parser.next_event(), h11.Request | h11.Response)
    found = []
    while isinstance(event := parser.next_event(), h11.Data):
        found.append(bytes(event.data))
    assert parser.trailing_data == (b"", False)
    return b"".join(found), isinstance(event, h11.EndOfMessage)


@pytest.mark.parametrize("who_leaves", ["client", "server"])
async def test_a_tunnel_is_one_request_and_one_answer(who_leaves: str) -> None:
    async with tunnel() as (server, client, seen):
        if who_leaves == "client":
            client.close()
        else:
            (session,) = server.worker.sessions
            session.socket.disconnect()
    for stream, least in ((seen.up, UP), (seen.down, DOWN)):
        data, complete = body(stream, request=stream is seen.up)
        assert complete
        assert len(data) > least
        assert b"SSH-2.0-" not in data


async def test_a_front_leads_no_framed_client_away() -> None:
    async with tunnel(HTTPFront="127.0.0.1:9") as (server, client, _):
        assert server.worker.tunnels == 1
        client.close()
    assert not server.worker.counts["front.relayed"]


async def test_a_client_that_dies_is_an_upload_that_broke_off() -> None:
    async with tunnel() as (_, client, seen):
        client.abort()
    data, complete = body(seen.up, request=True)
    assert len(data) > UP
    assert not complete
