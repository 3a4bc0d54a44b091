"""Stands in for load.c where there is no compiler: same options, checks and output, more CPU per request.

Clients are spread over two processes and the origin has one of its own; each runs a plain asyncio loop, with
blocking nowhere. Figures taken with it understate every subject, the fast ones most.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import resource
import socket
import struct
import time
from multiprocessing.connection import Connection

PERIOD = 65521
CHUNK = 1 << 17
EDGE = 64
CLIENT_PROCESSES = 2


def make_pattern() -> bytes:
    """Return the generator's bytes, long enough to cut a chunk anywhere."""
    x, period = 2463534242, bytearray()
    for _ in range(PERIOD):
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        period.append(x & 0xFF)
    return bytes(period * 4)[: PERIOD + CHUNK]


PATTERN = memoryview(make_pattern())


async def push(loop: asyncio.AbstractEventLoop, peer: socket.socket, size: int) -> None:
    """Send `size` bytes of the pattern."""
    at = 0
    while at < size:
        n = min(CHUNK, size - at)
        await loop.sock_sendall(peer, PATTERN[at % PERIOD : at % PERIOD + n])
        at += n


async def pull(loop: asyncio.AbstractEventLoop, peer: socket.socket, size: int, to_end: bool) -> bool:
    """Receive `size` bytes, and the end behind them where asked; say whether they were right."""
    buffer, at = memoryview(bytearray(CHUNK)), 0
    while to_end or at < size:
        n = await loop.sock_recv_into(peer, buffer)
        if n == 0:
            break
        edge = min(n, EDGE)
        first, last = at % PERIOD, (at + n - edge) % PERIOD
        right = buffer[:edge] == PATTERN[first : first + edge]
        if not right or buffer[n - edge : n] != PATTERN[last : last + edge]:
            return False
        at += n
    return at == size


async def gather(loop: asyncio.AbstractEventLoop, peer: socket.socket, n: int) -> bytes:
    """Receive exactly `n` bytes. Raises OSError if the peer ends first."""
    data = b""
    while len(data) < n:
        more = await loop.sock_recv(peer, n - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


async def serve(listener: socket.socket) -> None:
    """Be the origin."""
    loop = asyncio.get_running_loop()
    listener.setblocking(False)
    tasks: set[asyncio.Task[None]] = set()

    async def one(peer: socket.socket) -> None:
        with peer:
            try:
                mode, size = struct.unpack("=cQ", await gather(loop, peer, 9))
                if mode == b"d":
                    await push(loop, peer, size)
                elif await pull(loop, peer, size, False):
                    await loop.sock_sendall(peer, b"k")
            except OSError:
                return

    while True:
        peer, _ = await loop.sock_accept(listener)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = loop.create_task(one(peer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def request(port: int, origin: int, size: int, up: bool) -> bool:
    """Make one request; say whether it went well."""
    loop = asyncio.get_running_loop()
    with socket.socket() as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.setblocking(False)
        try:
            await loop.sock_connect(peer, ("127.0.0.1", port))
            await loop.sock_sendall(peer, b"\5\1\0")
            if (await gather(loop, peer, 2))[1]:
                return False
            await loop.sock_sendall(peer, b"\5\1\0\1\x7f\0\0\1" + origin.to_bytes(2, "big"))
            if (await gather(loop, peer, 10))[1]:
                return False
            await loop.sock_sendall(peer, struct.pack("=cQ", b"u" if up else b"d", size))
            if not up:
                return await pull(loop, peer, size, True)
            await push(loop, peer, size)
            return await gather(loop, peer, 1) == b"k"
        except OSError:
            return False


async def drive(
    options: argparse.Namespace, origin: int, clients: int, requests: int
) -> tuple[list[float], int]:
    """Make `requests` requests, `clients` at once; return latencies in ms and how many failed."""
    numbers = itertools.count()
    latencies: list[float] = []
    failed = 0

    async def client() -> None:
        nonlocal failed
        while next(numbers) < requests:
            begun = time.perf_counter()
            failed += not await request(options.port, origin, options.bytes, options.up)
            latencies.append((time.perf_counter() - begun) * 1e3)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    return latencies, failed


def _origin_process(listener: socket.socket) -> None:
    asyncio.run(serve(listener))


def _client_process(
    pipe: Connection, options: argparse.Namespace, origin: int, clients: int, requests: int
) -> None:
    latencies, failed = asyncio.run(drive(options, origin, clients, requests))
    pipe.send((latencies, failed))


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser()
    for name, default in (("port", 1080), ("clients", 20), ("requests", 2000), ("bytes", 1024)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--up", action="store_true")
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    origin = int(listener.getsockname()[1])
    server = multiprocessing.Process(target=_origin_process, args=(listener,), daemon=True)
    server.start()
    share = min(CLIENT_PROCESSES, options.clients, options.requests)
    pipes, workers = [], []
    for place in range(share):
        here, there = multiprocessing.Pipe()
        counts = ((n + place) // share for n in (options.clients, options.requests))
        workers.append(
            multiprocessing.Process(target=_client_process, args=(there, options, origin, *counts))
        )
        pipes.append(here)
    begun = time.perf_counter()
    for worker in workers:
        worker.start()
    results = [pipe.recv() for pipe in pipes]
    seconds = time.perf_counter() - begun
    for worker in workers:
        worker.join()
    server.terminate()
    server.join()
    latencies = sorted(value for values, _ in results for value in values)
    failed = sum(count for _, count in results)
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    report = {
        "requests": options.requests,
        "failed": failed,
        "seconds": seconds,
        "cpu_seconds": sum(used.ru_utime + used.ru_stime for used in usage),
        "p50_ms": latencies[len(latencies) // 2],
        "p99_ms": latencies[int(len(latencies) * 0.99)],
    }
    print(json.dumps(report))
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
