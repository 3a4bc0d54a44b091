"""What shaping a port forward's first bursts costs: bytes, time to the first byte, and bulk throughput."""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median

from bench.figures import Figure, Findings
from bench.generator import Generator
from bench.stacks import OURS, Stacks
from headrace.base.rng import SYSTEM_RNG
from headrace.client.api import Identity
from headrace.client.tunnel import Tunnel
from headrace.documents.client_config import read_client_config
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import choose
from headrace.net.streams import ChannelStream
from headrace.ssh.forwarding import Destination

__all__ = ["BULK_RATE", "BYTES", "FIRST_BYTE", "SHAPED", "UNSHAPED", "measure_padding"]

SHAPED, UNSHAPED = "headrace", "without shaping"
_OFF = {"DisableStreamShaping": True}
_SUBJECTS = {SHAPED: {}, UNSHAPED: _OFF}
BULK_RATE = "shaping: bulk"
BYTES = "shaping: bytes for a transfer of 1 MB"
FIRST_BYTE = "shaping: the first byte of an answer is later by"
BULK = 256_000_000  # bytes of one stream
MEGABYTE = 1_000_000
ASKED = b"\x16\x03\x01".ljust(517, b"?")  # as a common first message of TLS: others are not shaped


def measure_padding(
    stacks: Stacks, generator: Generator, rounds: int, transfers: int, say: Callable[[str], None]
) -> list[Figure]:
    """Measure with shaping and without, by turns."""
    found = Findings()
    with ExitStack() as exits:
        servers = {
            name: exits.enter_context(stacks.server("headrace", settings=settings))
            for name, settings in _SUBJECTS.items()
        }
        running = {name: stacks.client(exits, server, OURS) for name, server in servers.items()}
        for stack in running.values():  # windows have grown and code is warm before anything counts
            generator.run(stack.socks_port, clients=1, requests=1, size=BULK // 8)
        for number in range(rounds):
            say(f"padding, round {number + 1} of {rounds}")
            for name in list(_SUBJECTS)[:: -1 if number % 2 else 1]:
                for way, up in (("down", False), ("up", True)):
                    load = generator.run(running[name].socks_port, clients=1, requests=1, size=BULK, up=up)
                    found.add(f"{BULK_RATE} {way}", name, "MB/s", load.rate * BULK / 1e6)
            firsts = {}
            for name, server in servers.items():
                carried, firsts[name] = asyncio.run(_transfer(ServerEntry.decode(server.entry), transfers))
                found.add(BYTES, name, "bytes", carried)
            found.add(FIRST_BYTE, SHAPED, "ms", firsts[SHAPED] - firsts[UNSHAPED])
    return found.figures()


async def _transfer(entry: ServerEntry, count: int) -> tuple[float, float]:
    """Fetch a megabyte over a stream of its own, `count` times.

    Return medians: bytes on the wire both ways, and milliseconds from the question to the first byte.
    """
    config = b'{"PropagationChannelId": "FFFFFFFFFFFFFFFF", "SponsorId": "FFFFFFFFFFFFFFFF"}'
    identity = Identity(read_client_config(config), secrets.token_hex(16))
    tunnel = Tunnel(choose(entry, "OSSH", SYSTEM_RNG), identity, SYSTEM_RNG, lambda name, payload: None)
    origin = await asyncio.start_server(_answer, "127.0.0.1", 0)
    destination = Destination("127.0.0.1", origin.sockets[0].getsockname()[1])
    await tunnel.connect()
    await tunnel.handshake()
    carried, firsts = [], []
    for _ in range(count):
        before = sum(tunnel.bytes_transferred)
        stream = await ChannelStream.open(lambda endpoint: tunnel.open(destination, endpoint))
        asked = time.perf_counter()
        await stream.write(ASKED)
        left = MEGABYTE - len(await stream.read())
        firsts.append((time.perf_counter() - asked) * 1e3)
        while left:
            left -= len(await stream.read())
        stream.close()
        carried.append(sum(tunnel.bytes_transferred) - before)
    tunnel.close()
    await tunnel.ended
    origin.close()
    return median(carried), median(firsts)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(len(ASKED))
    writer.write(bytes(MEGABYTE))
    writer.close()
