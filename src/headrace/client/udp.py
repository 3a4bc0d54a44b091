"""What the local proxies need for datagrams: the way into the tunnel, and names as the far end knows them."""

import asyncio
from collections.abc import Callable

from headrace.base.clock import SYSTEM_CLOCK, Clock
from headrace.base.rng import SYSTEM_RNG, Rng
from headrace.client.udp_names import UdpNames
from headrace.client.udpgw_client import UdpgwClient
from headrace.net.resolve import Resolver
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.forwarding import Destination

__all__ = ["Udp"]


class Udp:
    """One for all applications; `open_forward` opens its channel with the first datagram."""

    def __init__(
        self,
        open_forward: Callable[[Destination, Endpoint], Channel],
        loop: asyncio.AbstractEventLoop,
        rng: Rng = SYSTEM_RNG,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.gateway = UdpgwClient(open_forward, loop)
        self.names = Resolver(clock=clock, backend=lambda: UdpNames(self.gateway, rng))

    def tunnels_changed(self) -> None:
        """There is another tunnel, or one less."""
        self.gateway.tunnels_changed()

    async def close(self) -> None:
        """End the channel and all look-ups."""
        self.gateway.close()
        await self.names.close()
