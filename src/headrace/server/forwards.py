"""Port forwards of one client: who may go where, how many at once, and which ends when there are too many.

Resolution and dialling are one step: the address that passed the checks is the address dialled.
"""

from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from typing import Any

from headrace.base.errors import HeadraceError, NetworkError
from headrace.documents.traffic_rules import TrafficLimits
from headrace.net.dial import dial
from headrace.net.relay import Relay
from headrace.net.resolve import Resolver
from headrace.server.egress import Egress
from headrace.ssh import numbers
from headrace.ssh.channel import Channel
from headrace.ssh.forwarding import Destination

__all__ = ["PortForwards"]

#: How many of a name's addresses to try, one after the other.
MAX_ADDRESSES = 4
#: Seconds for a dial where the rules set no limit.
DIAL_TIMEOUT = 10.0


class PortForwards:
    """The TCP port forwards of one tunnel. `spawn` keeps a task alive until it ends."""

    def __init__(
        self,
        resolver: Resolver,
        egress: Egress,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        limits: TrafficLimits,
    ) -> None:
        self.limits = limits
        self._resolver = resolver
        self._egress = egress
        self._spawn = spawn
        self._dialing = 0
        self._idle: dict[Relay, float] = {}  # open forwards, and since when nothing passed
        self._closed = False

    @property
    def count(self) -> int:
        """Port forwards open at the moment."""
        return len(self._idle)

    def open(self, channel: Channel, destination: Destination) -> None:
        """Dial, then accept the channel; or refuse it."""
        most = self.limits.max_tcp_dialing
        if most and self._dialing >= most:
            channel.refuse(numbers.ADMINISTRATIVELY_PROHIBITED, "")
            return
        self._dialing += 1
        self._spawn(self._open(channel, destination))

    async def _open(self, channel: Channel, destination: Destination) -> None:
        try:
            relay = await self._dial(destination)
        except PermissionError:
            self._refuse(channel, numbers.ADMINISTRATIVELY_PROHIBITED)
        except HeadraceError:
            self._refuse(channel, numbers.CONNECT_FAILED)
        else:
            if self._closed:
                relay.close()
                return
            self._make_room()
            self._idle[relay] = 0.0
            channel.accept(relay)
            relay.attach(channel)
        finally:
            self._dialing -= 1

    def _refuse(self, channel: Channel, reason: int) -> None:
        if not self._closed:
            channel.refuse(reason, "")

    async def _dial(self, destination: Destination) -> Relay:
        """Return a connected relay. Raises PermissionError (policy) or NetworkError."""
        port = destination.port
        timeout = self.limits.dial_tcp_timeout or DIAL_TIMEOUT
        error: NetworkError | None = None
        for address in (await self._resolver.lookup(destination.host))[:MAX_ADDRESSES]:
            if not self._egress.permitted(address):
                continue
            if not self.limits.tcp.allows(ip_address(address), port):
                continue
            try:
                return await dial(address, port, self._make_relay, timeout)
            except NetworkError as failure:
                error = failure
        if error is None:
            raise PermissionError
        raise error

    def _make_relay(self) -> Relay:
        return Relay(self._ended)

    def _make_room(self) -> None:
        """Close the forward that has been idle longest, if there are as many as there may be."""
        most = self.limits.max_tcp
        if most and len(self._idle) >= most:
            oldest = min(self._idle, key=lambda relay: (relay.busy, -self._idle[relay]))
            self._ended(oldest)
            oldest.close()

    def _ended(self, relay: Relay) -> None:
        self._idle.pop(relay, None)

    def sweep(self, elapsed: float) -> None:
        """Note who was idle for the last `elapsed` seconds; close who was for too long."""
        limit = self.limits.idle_tcp_timeout
        for relay in list(self._idle):
            if relay.busy:
                relay.busy = False
                self._idle[relay] = 0.0
                continue
            self._idle[relay] += elapsed
            if limit and self._idle[relay] >= limit:
                self._ended(relay)
                relay.close()

    def close(self) -> None:
        """The tunnel is gone: what is still being dialled is dropped when it connects."""
        self._closed = True
        self._idle.clear()
