"""Many clients in one process: `python -m bench.crowd`, told what to do by lines of JSON on stdin.

The first line says what the clients are: {"entry": …, "protocol": …} or, for asyncssh's, {"port": …,
"cipher": …}. Each further one is an order, {"do": name, …}, whose names and words are the methods of `Crowd`.
Each line is answered by one of JSON, when the order is carried out.
"""

import asyncio
import gc
import json
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from bench.crowd_clients import AsyncsshClients, Clients, HeadraceClients
from bench.crowd_forwards import EchoForward, PouringForward
from headrace.net.loop import run

Answer = dict[str, Any]


class Crowd:
    """What can be ordered. Each method's words are those of the order; what it returns is the answer."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._tunnels: list[Any] = []
        self._forwards: list[EchoForward] = []
        self._jobs: list[asyncio.Task[None]] = []
        self._probes = Probes()

    # ---- tunnels --------------------------------------------------------------------------------------

    async def open(self, count: int, at_once: int) -> Answer:
        """Set up `count` tunnels, `at_once` at a time, and keep them; "seconds" says how long it took."""
        begun = time.perf_counter()

        async def one() -> None:
            self._tunnels.append(await self._clients.connect())

        errors = await _in_turn((one for _ in range(count)), at_once)
        return {"seconds": time.perf_counter() - begun, "errors": errors}

    async def prepare(self, count: int) -> Answer:
        """Do beforehand what the next `count` tunnels need no server for."""
        self._clients.prepare(count)
        gc.collect()
        gc.freeze()
        return {}

    async def arrive(self, rate: float, seconds: float) -> Answer:
        """Have clients arrive at so many a second, whether or not the earlier ones are through.

        "times" are the seconds from when each was due to its tunnel; "late" is by how much the latest one
        was started late, which is our own fault. All tunnels are kept.
        """
        clock = time.monotonic  # the loop's is that of its round
        times: list[float] = []
        errors: Counter[str] = Counter()
        late = 0.0

        async def one(due: float) -> None:
            try:
                self._tunnels.append(await self._clients.connect())
                times.append(clock() - due)
            except Exception as error:
                errors[_told(error)] += 1

        begun = clock() + 0.1
        async with asyncio.TaskGroup() as group:
            for number in range(round(rate * seconds)):
                due = begun + number / rate
                await asyncio.sleep(max(0.0, due - clock()))
                late = max(late, clock() - due)
                group.create_task(one(due))
        return {"times": times, "errors": errors, "late": late}

    async def keepalive(self, period: float) -> Answer:
        """Have every tunnel send a keep-alive each `period` seconds from now on, evenly spread."""

        async def send() -> None:
            while True:
                for tunnel in self._tunnels:
                    await asyncio.sleep(period / len(self._tunnels))
                    await tunnel.request(b"keepalive@openssh.com", bytes(128))

        self._jobs.append(asyncio.create_task(send()))
        return {}

    async def close(self) -> Answer:
        """Close all tunnels."""
        while self._tunnels:
            self._tunnels.pop().close()
        self._forwards.clear()
        return {}

    # ---- port forwards --------------------------------------------------------------------------------

    async def pour(self, port: int, forwards: list[int], warm_up: float, seconds: float) -> Answer:
        """Let data pour in through each tunnel; "bytes" is what each received after a warm-up.

        "seconds" is how long that was: `seconds`, or more if this process is busy. Each tunnel has as many
        forwards as its place in `forwards` says.
        """
        downloads = [
            [PouringForward(tunnel, port) for _ in range(count)]
            for tunnel, count in zip(self._tunnels, forwards, strict=True)
        ]
        for forward in (forward for those in downloads for forward in those):
            await forward.wait_ready()
        await asyncio.sleep(warm_up)
        before = [sum(forward.received for forward in those) for those in downloads]
        begun = time.monotonic()
        await asyncio.sleep(seconds)
        after = [sum(forward.received for forward in those) for those in downloads]
        passed = time.monotonic() - begun
        return {"bytes": [b - a for a, b in zip(before, after, strict=True)], "seconds": passed}

    async def spread(self, port: int, each: int, at_once: int) -> Answer:
        """Open `each` forwards to `port` in every tunnel and keep them; "times" are seconds to the answer."""
        times: list[float] = []

        async def one(tunnel: Any) -> None:
            begun = time.perf_counter()
            forward = EchoForward(tunnel, port)
            await forward.wait_ready()
            times.append(time.perf_counter() - begun)
            self._forwards.append(forward)

        work = (_bind(one, tunnel) for _ in range(each) for tunnel in self._tunnels)
        begun = time.perf_counter()
        errors = await _in_turn(work, at_once)
        return {"times": times, "errors": errors, "seconds": time.perf_counter() - begun}

    async def echo(self, at_once: int) -> Answer:
        """Send a byte through every open forward and wait for it; "times" are seconds to its return."""
        times: list[float] = []

        async def one(forward: EchoForward) -> None:
            begun = time.perf_counter()
            await forward.echo()
            times.append(time.perf_counter() - begun)

        errors = await _in_turn((_bind(one, forward) for forward in self._forwards), at_once)
        return {"times": times, "errors": errors}

    async def ping(self, seconds: float, pause: float) -> Answer:
        """Echo through the first forward again and again for so long, with a pause between two."""
        times: list[float] = []
        end = time.monotonic() + seconds
        while (begun := time.monotonic()) < end:
            await self._forwards[0].echo()
            times.append(time.monotonic() - begun)
            await asyncio.sleep(pause)
        return {"times": times}

    async def churn(self, port: int, strangers: int, tunnels: int, forwards: int, at_once: int) -> Answer:
        """Have `tunnels` clients come and go, `at_once` at a time, each with `forwards` forwards.

        Forwards carry between a byte and 20 KB each way. Clients leave politely or not, some with forwards
        open; beside each tenth one somebody connects to the port for `strangers` who is no client.
        """
        chance = random.Random(tunnels)

        async def one(number: int) -> None:
            if number % 10 == 0:
                await _stranger(strangers, chance.randbytes(600))
            tunnel = await self._clients.connect()
            try:
                for _ in range(forwards):
                    forward = EchoForward(tunnel, port)
                    await forward.wait_ready()
                    await forward.echo(chance.randint(1, 20_000))
                    if chance.random() < 0.9:
                        await forward.close()
            finally:
                (tunnel.close if chance.random() < 0.7 else tunnel.abort)()
            await tunnel.ended

        errors = await _in_turn((_bind(one, number) for number in range(tunnels)), at_once)
        return {"errors": errors}

    # ---- others ---------------------------------------------------------------------------------------

    async def probe(self, port: int, count: int) -> Answer:
        """Connect `count` times, say nothing, and stay; whoever is thrown out comes back."""
        await self._probes.hold(port, count)
        return {"held": self._probes.held, "thrown_out": self._probes.thrown_out}

    async def probes(self) -> Answer:
        """Tell how many probes are connected, and how often one was thrown out."""
        return {"held": self._probes.held, "thrown_out": self._probes.thrown_out}


class Probes:
    """Connections that say nothing."""

    def __init__(self) -> None:
        self.held = self.thrown_out = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def hold(self, port: int, count: int) -> None:
        """Return when `count` are connected for the first time, or tried for 30 s."""
        self._tasks += [asyncio.create_task(self._one(port)) for _ in range(count)]
        for _ in range(300):
            if self.held >= count:
                return
            await asyncio.sleep(0.1)

    async def _one(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with socket.socket() as peer:
                peer.setblocking(False)
                try:
                    await loop.sock_connect(peer, ("127.0.0.1", port))
                    self.held += 1
                    try:
                        await loop.sock_recv(peer, 1)
                    finally:
                        self.held -= 1
                        self.thrown_out += 1
                except OSError:
                    self.thrown_out += 1
            await asyncio.sleep(1.0)


async def _stranger(port: int, words: bytes) -> None:
    """Connect, say something that nobody understands, and leave."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(words)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def _bind(work: Callable[[Any], Awaitable[None]], what: Any) -> Callable[[], Awaitable[None]]:
    return lambda: work(what)


async def _in_turn(work: Iterable[Callable[[], Awaitable[None]]], at_once: int) -> Counter[str]:
    """Do it all, so much at once; return what went wrong, and how often."""
    errors: Counter[str] = Counter()
    jobs = iter(work)

    async def worker() -> None:
        for job in jobs:
            try:
                await job()
            except Exception as error:
                errors[_told(error)] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())
    return errors


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _clients(order: dict[str, Any]) -> Clients:
    if "entry" in order:
        return HeadraceClients(order["entry"], order["protocol"])
    return AsyncsshClients(order["port"], order["cipher"])


async def main() -> None:
    """Carry out orders until stdin ends."""
    loop = asyncio.get_running_loop()
    lines = iter(sys.stdin.readline, "")
    crowd = Crowd(_clients(json.loads(await loop.run_in_executor(None, next, lines))))
    print("{}", flush=True)
    while line := await loop.run_in_executor(None, next, lines, ""):
        order = json.loads(line)
        carry_out: Callable[..., Coroutine[Any, Any, Answer]] = getattr(crowd, order.pop("do"))
        print(json.dumps(await carry_out(**order)), flush=True)


if __name__ == "__main__":
    run(main())
