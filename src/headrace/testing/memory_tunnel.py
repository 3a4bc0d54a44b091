"""A tunnel without a network: port forwards over two SSH machines in memory, to real sockets at the far end.

    endpoint ──► channel ──► (memory) ──► channel ──► Relay ──► TCP to the destination

For tests of what opens port forwards; it takes the controller's place.
"""

import asyncio
from typing import Self

from headrace.base.errors import NetworkError
from headrace.client.split_tunnel import SplitTunnel
from headrace.client.udp import Udp
from headrace.net.dial import dial
from headrace.net.http import Connector, direct
from headrace.net.relay import Relay
from headrace.ssh import numbers
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.forwarding import DIRECT_TCPIP, Destination, Failure
from headrace.testing.peers import SshPair

__all__ = ["MemoryTunnel"]


class MemoryTunnel:
    """A tunnel that is up, and lost when its `async with` block ends.

    Without `answers` the far end leaves requests to open a channel lie.
    """

    def __init__(self, *, answers: bool = True) -> None:
        self.loop = asyncio.get_running_loop()
        self.split: SplitTunnel | None = None
        self.connect_directly: Connector = direct
        self.udp = Udp(self.open_forward, self.loop)
        self.failures = 0  #: how often `forward_failed` was called
        self.destinations: list[Destination] = []  #: what was asked for, in order
        self.channels: list[Channel] = []  #: the far ends of port forwards that were asked for
        self._answers = answers
        self._tasks: set[asyncio.Task[None]] = set()
        self._relays = 0
        self._idle = asyncio.Event()  # no relay has a socket open
        self._idle.set()
        self._scheduled = False
        self._running = False
        self._pair = SshPair(accept=self._accept, wake=self._wake)
        self._pair.start().run()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.udp.close()
        self.lose()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._idle.wait()

    # ---- the controller's part ------------------------------------------------------------------------

    def open_forward(self, destination: Destination, endpoint: Endpoint) -> Channel:
        """Ask for a port forward."""
        connection = self._pair.client.connection
        if connection is None:
            raise NetworkError("no active tunnels")
        return connection.open(DIRECT_TCPIP, destination.encode(), endpoint)

    def make_relay(self) -> Relay:
        """Return the relay of an opened port forward."""
        return Relay()

    def forward_failed(self) -> None:
        """Count a failed port forward."""
        self.failures += 1

    def lose(self) -> None:
        """Lose the tunnel, as when its connection breaks."""
        for peer in (self._pair.client, self._pair.server):
            connection, peer.connection = peer.connection, None
            if connection is not None:
                connection.lost(NetworkError("the tunnel was lost"))

    # ---- the link -------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if not (self._scheduled or self._running):
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._scheduled, self._running = False, True
        self._pair.run()
        self._running = False

    # ---- the server's part ----------------------------------------------------------------------------

    def _accept(self, channel: Channel, kind: bytes, extra: memoryview) -> None:
        self.channels.append(channel)
        self.destinations.append(Destination.parse(extra))
        if self._answers:
            task = asyncio.get_running_loop().create_task(self._open(channel, self.destinations[-1]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open(self, channel: Channel, destination: Destination) -> None:
        try:
            relay = await dial(destination.host, destination.port, lambda: Relay(self._ended), timeout=5)
        except NetworkError:
            channel.refuse(numbers.CONNECT_FAILED, Failure.REFUSED.value)
            return
        self._relays += 1
        self._idle.clear()
        channel.accept(relay)
        relay.attach(channel)

    def _ended(self, relay: Relay) -> None:
        self._relays -= 1
        if not self._relays:
            self._idle.set()
