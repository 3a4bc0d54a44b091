"""Port forwards of one client: how they are made, how many at once, and which ends when there are too many.

Resolution and dialling are one step: the address that passed the gate is the address dialled, or the one that
the client is told to dial itself.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Never

from headrace.base.errors import ConnectTimeout, HeadraceError, NetworkError
from headrace.documents.port_policy import Address
from headrace.net.addresses import parse_address
from headrace.net.dial import dial
from headrace.net.race import interleave, race
from headrace.net.relay import Relay
from headrace.net.relay_pool import RelayPool
from headrace.net.resolve import Resolver
from headrace.server.gate import Gate
from headrace.server.osl_seeding import Seeding
from headrace.server.stats.tunnel_record import TunnelRecord
from headrace.ssh import numbers
from headrace.ssh.channel import Channel
from headrace.ssh.forwarding import Destination, Failure

__all__ = ["PortForwards"]

#: How many of a name's addresses to try.
MAX_ADDRESSES = 4
#: Seconds for a dial where the rules set no limit.
DIAL_TIMEOUT = 10.0


class _ForTheClient(Exception):
    """The client asked to be sent to such destinations itself."""


class PortForwards:
    """The TCP port forwards of one tunnel. `spawn` keeps a task alive until it ends."""

    def __init__(
        self,
        resolver: Resolver,
        gate: Gate,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self.seeding: Seeding | None = None  #: is told of every forward
        self.record: TunnelRecord | None = None  #: likewise
        self.splits: Callable[[str], bool] | None = None  #: says of an address whether it is for the client
        self._resolver = resolver
        self._gate = gate
        self._spawn = spawn
        self._dialing: set[asyncio.Task[None]] = set()
        # No more than a connection's channels, which are counted elsewhere.
        self._waiting: deque[Callable[[], Coroutine[Any, Any, None]]] = deque()
        self._relays = RelayPool(gate.limits.idle_tcp_timeout, self._ended)
        self._closed = False

    @property
    def count(self) -> int:
        """Port forwards open at the moment."""
        return len(self._relays)

    @property
    def buffered(self) -> int:
        """Bytes that wait for their destinations to take them."""
        return self._relays.buffered

    def open(self, channel: Channel, destination: Destination, *, may_split: bool = False) -> None:
        """Dial, then accept the channel; or refuse it, if it may be, for the client to dial.

        Where as many are dialled as the rules allow it waits for its turn, within the time there is for it.
        """
        splits = self.splits if may_split else None
        deadline = asyncio.get_running_loop().time() + (self._gate.limits.dial_tcp_timeout or DIAL_TIMEOUT)
        self._waiting.append(partial(self._open, channel, destination, splits, deadline))
        self._proceed()

    def _proceed(self) -> None:
        """Dial for those who wait, as far as the rules allow."""
        most = self._gate.limits.max_tcp_dialing
        while self._waiting and not (most and len(self._dialing) >= most):
            task = self._spawn(self._waiting.popleft()())
            self._dialing.add(task)
            task.add_done_callback(self._dialled)
        if self.record is not None:
            self.record.dials(len(self._dialing))

    def _dialled(self, task: asyncio.Task[None]) -> None:
        self._dialing.discard(task)
        self._proceed()

    async def _open(
        self,
        channel: Channel,
        destination: Destination,
        splits: Callable[[str], bool] | None,
        deadline: float,
    ) -> None:
        try:
            relay, address = await self._dial(destination, splits, deadline)
        except _ForTheClient:
            if not self._closed:
                channel.refuse(numbers.SPLIT_TUNNEL, "")
        except (HeadraceError, PermissionError) as error:
            self._refuse(channel, Failure.of_error(error))
        except Exception:
            self._refuse(channel, Failure.FAILED)  # whatever it was, the client waits for an answer
            raise
        else:
            if self._closed:
                relay.abort()
                return
            self._relays.make_room(self._gate.limits.max_tcp)
            if not relay.closing:  # else the destination has hung up already, and `attach` says so
                self._relays.add(relay)
                if self.seeding is not None:
                    self.seeding.opened(relay, address)
                if self.record is not None:
                    named = parse_address(destination.host) is None
                    self.record.opened_tcp(relay, address, named=named)
            channel.accept(relay)
            relay.attach(channel)

    def _refuse(self, channel: Channel, why: Failure) -> None:
        if not self._closed:
            channel.refuse(why.reason, why.value)

    def _ended(self, relay: Relay) -> None:
        if self.seeding is not None:
            self.seeding.closed(relay)
        if self.record is not None:
            self.record.closed(relay)

    async def _dial(
        self, destination: Destination, splits: Callable[[str], bool] | None, deadline: float
    ) -> tuple[Relay, Address]:
        """Return a connected relay and where it leads, in the time there is.

        Raises _ForTheClient, PermissionError (policy) or NetworkError.
        """
        gate, port = self._gate, destination.port
        if asyncio.get_running_loop().time() >= deadline:
            gate.counts["refused.dialing_limit"] += 1
            raise ConnectTimeout("the turn came too late")
        if not gate.name(destination.host):
            raise PermissionError
        attempts: list[Callable[[], Coroutine[Any, Any, tuple[Relay, Address]]]] = []
        disallowed = False
        for text in interleave(await self._addresses(destination.host, deadline))[:MAX_ADDRESSES]:
            address = gate.address(text)
            if address is None:
                continue
            if splits is not None and splits(text):
                attempts.append(_leave_it)
            elif gate.tcp(address, port):
                attempts.append(partial(self._attempt, text, address, port, deadline))
            else:
                disallowed = True
        if not attempts:
            if disallowed:
                gate.refused("tcp")
            raise PermissionError
        return await race(attempts, _drop)

    async def _addresses(self, host: str, deadline: float) -> list[str]:
        if parse_address(host) is not None:
            return [host]
        try:
            async with asyncio.timeout_at(deadline):
                return await self._resolver.lookup(host)
        except TimeoutError as error:
            raise ConnectTimeout("the name server took too long") from error

    async def _attempt(
        self, text: str, address: Address, port: int, deadline: float
    ) -> tuple[Relay, Address]:
        """Dial one address, which is `text`. Raises NetworkError."""
        counts, family = self._gate.counts, f"ipv{address.version}"
        begun = asyncio.get_running_loop().time()
        try:
            relay = await dial(text, port, self._relays.make, deadline - begun)
        except NetworkError:
            counts[f"dial_failed.{family}"] += 1
            counts[f"dial_failed_ms.{family}"] += _milliseconds_since(begun)
            raise
        counts[f"dialed.{family}"] += 1
        counts[f"dialed_ms.{family}"] += _milliseconds_since(begun)
        return relay, address

    def sweep(self, elapsed: float) -> None:
        """Close what has been idle for too long; `elapsed` seconds have passed since the last call."""
        self._relays.idle_limit = self._gate.limits.idle_tcp_timeout
        self._relays.sweep(elapsed)

    def close(self) -> None:
        """The tunnel is gone: drop what went through it, and what is still to be dialled."""
        self._closed = True
        self._waiting.clear()
        self._relays.abort()
        for task in self._dialing:
            task.cancel()


def _drop(made: tuple[Relay, Address]) -> None:
    made[0].abort()


async def _leave_it() -> Never:
    """Take the turn of an address that is for the client, in whose connections our rules have no say."""
    raise _ForTheClient


def _milliseconds_since(moment: float) -> int:
    return round(1000 * (asyncio.get_running_loop().time() - moment))
