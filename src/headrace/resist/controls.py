"""Traffic that a detector must recognise, made anew for every table: what it flags nothing of proves nothing.

ssh      SSH in the open, with AES-GCM, whose packet lengths can be walked
http     ordinary downloads
broken   downloads of pictures that are none
numeric  downloads from an address without a name
random   random bytes both ways
opcodes  messages that begin as OpenVPN's do
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from headrace.base.rng import Rng
from headrace.resist.capture import capture
from headrace.resist.flows import Sample, read_flows

__all__ = ["CONTROLS", "capture_controls"]

#: Connections of each kind.
COUNT: Final = 20
_DOWNLOAD: Final = 120_000
_MESSAGES: Final = 60
_OPENVPN: Final = (0x20, 0x28, 0x30, 0x38, 0x40, 0x48)
#: A PNG file whose first part is longer than all of it.
_BROKEN: Final = b"\x89PNG\r\n\x1a\n\x00\xff\xff\xffIHDR"

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Rng], Awaitable[None]]


async def capture_controls(directory: Path, rng: Rng) -> dict[str, Sample]:
    """Make and capture each kind of control traffic. Raises OperatorError if nothing can be captured."""
    samples = {}
    for name, start in CONTROLS.items():
        pcap = directory / f"control-{name}.pcap"
        async with start(rng) as (port, connect), capture(pcap, [port]):
            for _ in range(COUNT):
                await connect()
        samples[name] = Sample(pcap, read_flows(pcap, [port]))
    return samples


Started = tuple[int, Callable[[], Awaitable[None]]]


@asynccontextmanager
async def _ssh(rng: Rng) -> AsyncIterator[Started]:
    import asyncssh

    class Anybody(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return False

    async def pour(process: Any) -> None:
        process.stdout.write(rng.bytes(_DOWNLOAD))
        process.exit(0)

    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Anybody,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        process_factory=pour,
        encoding=None,
    )

    async def connect() -> None:
        async with asyncssh.connect(
            "127.0.0.1",
            server.get_port(),
            username="control",
            known_hosts=None,
            client_keys=None,
            config=None,
            encryption_algs=["aes128-gcm@openssh.com"],
        ) as connection:
            await connection.run("pour", encoding=None)

    async with server:
        yield server.get_port(), connect


@asynccontextmanager
async def _http(
    rng: Rng, host: str = "files.example.org", kind: str = "application/octet-stream", begins: bytes = b""
) -> AsyncIterator[Started]:
    import aiohttp
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=begins + rng.bytes(_DOWNLOAD), content_type=kind)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await (site := web.TCPSite(runner, "127.0.0.1", 0)).start()
        assert site._server is not None
        port = int(site._server.sockets[0].getsockname()[1])  # type: ignore[attr-defined]

        async def connect() -> None:
            async with aiohttp.ClientSession(headers={"Host": host}) as session:
                url = f"http://127.0.0.1:{port}/files/{rng.bytes(8).hex()}"
                async with session.post(url, data=rng.bytes(2000)) as response:
                    await response.read()

        yield port, connect
    finally:
        await runner.cleanup()


def _raw(client: Talk, server: Talk) -> Callable[[Rng], Any]:
    """Return what starts a server of a protocol that two functions speak."""

    @asynccontextmanager
    async def start(rng: Rng) -> AsyncIterator[Started]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server(reader, writer, rng)
            writer.close()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = int(listening.sockets[0].getsockname()[1])

        async def connect() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await client(reader, writer, rng)
            writer.close()

        async with AsyncExitStack() as stack:
            stack.callback(listening.close)
            yield port, connect

    return start


async def _pour_random(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rng: Rng) -> None:
    writer.write(rng.bytes(rng.between(400, 4000)))
    await reader.readexactly(400)


async def _ask_in_opcodes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rng: Rng) -> None:
    for _ in range(_MESSAGES):
        writer.write(bytes((rng.choice(_OPENVPN),)) + rng.bytes(rng.between(40, 600)))
        await reader.read(1000)


async def _answer_in_opcodes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rng: Rng) -> None:
    while await reader.read(1000):
        writer.write(bytes((rng.choice(_OPENVPN),)) + rng.bytes(rng.between(40, 600)))


#: By name, what starts a server; it yields its port, and what makes a connection.
CONTROLS: Final[dict[str, Callable[[Rng], Any]]] = {
    "ssh": _ssh,
    "http": _http,
    "broken": partial(_http, kind="image/png", begins=_BROKEN),
    "numeric": partial(_http, host="127.0.0.1"),
    "random": _raw(_pour_random, _pour_random),
    "opcodes": _raw(_ask_in_opcodes, _answer_in_opcodes),
}
