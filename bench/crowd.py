"""Many tunnels from one process: `python -m bench.crowd`, told what to do by lines of JSON on stdin.

Each order is answered by a line of JSON. {"open": n, "at_once": k} sets up n tunnels and keeps them;
{"close": true} closes all; {"keepalive": s} makes every tunnel send a keep-alive each s seconds from then on,
evenly spread. Tunnels are headrace's, or asyncssh's, which has no keep-alives.
"""

import asyncio
import json
import secrets
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

from headrace.net.loop import run


class Crowd(ABC):
    """Tunnels of one kind."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.tunnels: list[Any] = []

    @abstractmethod
    async def connect(self) -> Any:
        """Return a tunnel that is ready to forward."""

    async def keep_alive(self, period: float) -> None:
        """Send keep-alives for ever."""
        raise NotImplementedError

    @abstractmethod
    def close_one(self, tunnel: Any) -> None:
        """Close a tunnel."""

    async def open(self, count: int, at_once: int) -> float:
        """Set up tunnels, some at once; return how many seconds it took."""
        numbers = iter(range(count))

        async def work() -> None:
            for _ in numbers:
                self.tunnels.append(await self.connect())

        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
        return time.perf_counter() - begun

    def close(self) -> None:
        while self.tunnels:
            self.close_one(self.tunnels.pop())


class HeadraceCrowd(Crowd):
    """Whole tunnels: TCP, the tunnel protocol, SSH, log-in, API handshake."""

    def __init__(self, order: dict[str, Any]) -> None:
        from headrace.base.rng import SYSTEM_RNG
        from headrace.client import api
        from headrace.client.tunnel import Tunnel
        from headrace.documents.client_config import read_client_config
        from headrace.documents.server_entry import ServerEntry
        from headrace.establishment.dial_parameters import choose

        super().__init__(order)
        config = read_client_config(
            json.dumps({"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}).encode()
        )
        entry = ServerEntry.decode(order["entry"])
        identity = api.Identity.from_config(config)

        def make() -> Tunnel:
            attempt = choose(entry, order["protocol"], SYSTEM_RNG)
            # Each is a client of its own: a server may close a tunnel when its client makes another.
            client = replace(identity, session_id=secrets.token_hex(16))
            return Tunnel(attempt, client, SYSTEM_RNG, lambda name, payload: None)

        self._make = make

    async def connect(self) -> Any:
        tunnel = self._make()
        await tunnel.connect()
        await tunnel.handshake()
        return tunnel

    async def keep_alive(self, period: float) -> None:
        while True:
            for tunnel in self.tunnels:
                await asyncio.sleep(period / len(self.tunnels))
                await tunnel.request(b"keepalive@openssh.com", bytes(128))

    def close_one(self, tunnel: Any) -> None:
        tunnel.close()


class AsyncsshCrowd(Crowd):
    """SSH connections with log-in."""

    def __init__(self, order: dict[str, Any]) -> None:
        super().__init__(order)
        self._port, self._cipher = order["port"], order["cipher"]

    async def connect(self) -> Any:
        import asyncssh

        return await asyncssh.connect(
            "127.0.0.1",
            self._port,
            username="bench",
            password="bench",
            known_hosts=None,
            client_keys=None,
            config=None,
            encryption_algs=[self._cipher],
        )

    def close_one(self, tunnel: Any) -> None:
        tunnel.close()


async def main() -> None:
    """Carry out orders until stdin ends."""
    loop = asyncio.get_running_loop()
    order = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    crowd: Crowd = HeadraceCrowd(order) if "entry" in order else AsyncsshCrowd(order)
    jobs = []
    print("{}", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        answer: dict[str, object] = {}
        if "open" in order:
            answer["seconds"] = await crowd.open(order["open"], order["at_once"])
        if "keepalive" in order:
            jobs.append(loop.create_task(crowd.keep_alive(order["keepalive"])))
        if "close" in order:
            crowd.close()
        print(json.dumps(answer), flush=True)
    for job in jobs:
        job.cancel()


if __name__ == "__main__":
    run(main())
