"""A censor of TCP connections, scripted: a relay on loopback that passes on, looks, and strikes when told.

    async with Censor(server_port, rules=[Rule(RESET, down=4096), Rule(STALL, down=0)]) as censor:
        ...                              # dial censor.port in place of server_port

The first connection is reset once 4,096 bytes have come down to the client, the second one hears nothing,
later ones pass. Rules may also come from a function of the connection's number, from a generator without an
end, or be one for all connections: `rules=REFUSE` blocks an address for good. `measures` has more of them,
`conditions` says when and to whom they apply, and `a & b` is both.

A rule strikes as soon as its last byte has been passed on: it does not wait for the next, nor let one more
through. What a peer has not yet read when its connection is reset may be lost, as it would be anywhere.
"""

import asyncio
from functools import partial
from typing import Self

from headrace.testing.censor_relay import CensorClock, Passage, Relay
from headrace.testing.censorship import CLOSE, RESET, STALL, Ending
from headrace.testing.inspection import KEPT, Flow, Rules, Script
from headrace.testing.measures import PASS, REFUSE, Rule
from headrace.testing.probing import Prober

__all__ = [
    "CLOSE",
    "KEPT",
    "PASS",
    "REFUSE",
    "RESET",
    "STALL",
    "Censor",
    "Ending",
    "Flow",
    "Passage",
    "Rule",
    "Rules",
]


class Censor:
    """Listens while the `async with` block runs; leaving it resets what is connected.

    `host` and `port` are to be dialled; 0 lets the system choose the port. `connections` are all there have
    been. Rules count seconds from the entry of the block, or from `epoch` on the loop's clock: censors with
    the same one, and the same measure, act as one.
    """

    def __init__(
        self,
        target_port: int,
        *,
        target_host: str = "127.0.0.1",
        rules: Rules = (),
        host: str = "127.0.0.1",
        port: int = 0,
        epoch: float | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.connections: list[Passage] = []
        self._target = (target_host, target_port)
        self._epoch = epoch
        self._script = Script(rules)
        self._server: asyncio.Server | None = None
        self._clock: CensorClock
        self._prober: Prober
        self._accepted = asyncio.Event()
        self._relays: list[Relay] = []

    @property
    def up(self) -> int:
        """Bytes passed on from clients so far."""
        return sum(passage.up.passed for passage in self.connections)

    @property
    def down(self) -> int:
        """Bytes passed on to clients so far."""
        return sum(passage.down.passed for passage in self.connections)

    async def connection(self, number: int = 0) -> Passage:
        """Return the connection with this number, once it has been made."""
        while len(self.connections) <= number:
            self._accepted.clear()
            await self._accepted.wait()
        return self.connections[number]

    def decree(self, rules: Rules) -> None:
        """Put other rules in force, for connections to come."""
        self._script.decree(rules)

    async def probed(self) -> None:
        """Wait until every probe that was sent has been answered, or given up."""
        await self._prober.finish()

    async def drop(self) -> None:
        """Reset everything that is connected now."""
        for relay in self._relays:
            relay.abort()
        for relay in list(self._relays):
            await relay.passage.ended.wait()
        self._relays.clear()

    async def __aenter__(self) -> Self:
        self._clock = CensorClock(self._epoch)
        self._prober = Prober(self._clock)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._prober.stop()
        await self.drop()
        await self._server.wait_closed()

    def _accept(self) -> asyncio.Protocol:
        inspection = self._script.open(self.host, self.port, self._clock.now())
        relay = Relay(
            inspection, self._clock, self._connect, partial(self._prober.send, connect=self._connect)
        )
        assert self._server is not None
        if self._server.is_serving():
            self.connections.append(relay.passage)
            self._relays = [other for other in self._relays if not other.passage.ended.is_set()] + [relay]
            self._accepted.set()
        else:  # it came as we closed
            relay.abort()
        return relay.client

    async def _connect(self, protocol: asyncio.Protocol) -> None:
        await asyncio.get_running_loop().create_connection(lambda: protocol, *self._target)
