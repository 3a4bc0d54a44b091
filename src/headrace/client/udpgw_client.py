"""Datagrams through the tunnel: the client's end of a udpgw channel (tunnel spec §7).

idle ──► opening ──► open ──► (nobody sends datagrams any more) ──► idle
            └───────── waiting ◄─┘ refused or lost: again in a while, or as soon as there is another tunnel

There is one channel for all, while anybody has flows. Flows outlive it: with the next one they go on.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from headrace.base.errors import NetworkError, RemoteProtocolError
from headrace.client.udp_flows import FlowTable, Owner
from headrace.codec.udpgw import MAX_DATAGRAM, UdpgwDecoder, encode_datagram, encode_keepalive
from headrace.net.datagram_queue import DatagramQueue
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.forwarding import Destination

__all__ = ["GATEWAY", "UdpgwClient"]

#: Where servers listen for it, as they see it; no such connection is ever made.
GATEWAY: Final = Destination("127.0.0.1", 7300)
#: Seconds without a datagram sent until a keep-alive is, and until a channel is asked for again.
KEEPALIVE: Final = 10.0
RETRY: Final = 5.0
#: Datagrams of one flow that may wait for a channel, or for room in it; bytes of all of them.
SHARE: Final = 8
MAX_WAITING: Final = 1024 * 1024


class UdpgwClient:
    """Sends datagrams, and hands over those that come back."""

    def __init__(
        self, open_forward: Callable[[Destination, Endpoint], Channel], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._open_forward = open_forward
        self._loop = loop
        self._flows = FlowTable()
        self._queue = DatagramQueue(SHARE, MAX_WAITING)
        self._decoder = UdpgwDecoder()
        self._channel: Channel | None = None
        self._opening = False
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None  # for a keep-alive or to try again
        self._last_sent = 0.0

    @property
    def flows(self) -> int:
        """How many flows there are."""
        return len(self._flows)

    def send(self, owner: Owner, address: bytes, port: int, datagram: bytes, *, dns: bool = False) -> None:
        """Send to an address of 4 or 16 bytes, or with `dns` to the server's own resolver; or drop it."""
        if self._closed or len(datagram) > MAX_DATAGRAM:
            return
        flow = self._flows.outgoing(owner, address, port, dns=dns)
        if self._queue.put(flow, encode_datagram(flow.head, datagram)):
            flow.begun()
        self._last_sent = self._loop.time()
        if self._channel is None and self._timer is None:
            self._open()

    def release(self, owner: Owner) -> None:
        """End all flows of one owner."""
        self._flows.release(owner)

    def tunnels_changed(self) -> None:
        """There is another tunnel, or one less: if a channel is wanted, ask for it now."""
        if self._channel is None and self._timer is not None:
            self._timer.cancel()
            self._try_again()

    def close(self) -> None:
        """End the channel, and send nothing any more."""
        self._closed = True
        self._queue.clear()
        self._leave()

    # ---- the channel's life ---------------------------------------------------------------------------

    def _open(self) -> None:
        if self._opening:
            return
        self._opening = True
        try:
            self._open_forward(GATEWAY, self)
        except NetworkError:
            self._wait()

    def _wait(self) -> None:
        self._opening = False
        if not self._closed:
            self._timer = self._loop.call_later(RETRY, self._try_again)

    def _try_again(self) -> None:
        self._timer = None
        if self._flows:
            self._open()
        else:
            self._queue.clear()

    def _keep_alive(self) -> None:
        channel, now = self._channel, self._loop.time()
        if not self._flows:
            self._queue.clear()
            self._leave()
            return
        due = self._last_sent + KEEPALIVE
        if channel is not None and due <= now:
            message = encode_keepalive()
            if channel.room >= len(message):
                channel.send(message)
            due = now + KEEPALIVE
        self._timer = self._loop.call_at(due, self._keep_alive)

    def _leave(self) -> None:
        """Have no channel any more, and hear nothing of the one there was."""
        channel, self._channel = self._channel, None
        self._queue.detach()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if channel is not None:
            channel.endpoint = None
            channel.close()

    # ---- the channel's side ---------------------------------------------------------------------------

    def opened(self, channel: Channel) -> None:
        self._opening = False
        if self._closed:
            channel.close()
            return
        self._channel = channel
        self._decoder = UdpgwDecoder()
        self._queue.attach(channel)
        self._last_sent = self._loop.time()
        self._timer = self._loop.call_later(KEEPALIVE, self._keep_alive)

    def refused(self, reason: int, text: str) -> None:
        self._wait()

    def data(self, view: memoryview) -> None:
        try:
            messages = self._decoder.messages(view)
        except RemoteProtocolError:
            self._leave()
            self._wait()
            return
        for message in messages:
            found = self._flows.incoming(message)
            if found is not None:
                flow, datagram = found
                flow.owner.received(flow.address, flow.port, datagram)

    def pause(self) -> None:
        """What is sent from now on waits."""

    def writable(self) -> None:
        self._queue.flush()

    def eof(self) -> None:
        self._leave()
        self._wait()

    def closed(self, error: Exception | None) -> None:
        self._leave()
        self._wait()
