"""Datagrams on their way into a channel: what does not fit at the moment waits, within bounds.

A tunnel that carries a big transfer is full most of the time, so datagrams that were dropped whenever it is
would hardly ever get through. Beyond the bounds they are dropped, the newest first.
"""

from collections import deque
from typing import Protocol

from headrace.ssh.channel import Channel

__all__ = ["DatagramQueue", "Sender"]


class Sender(Protocol):
    """Whose datagrams they are. `waiting` counts those in the queue."""

    waiting: int


class DatagramQueue:
    """The way into one channel, and into the next.

    At most `share` datagrams of one sender wait, and `most` bytes of all.
    """

    def __init__(self, share: int, most: int) -> None:
        self._share = share
        self._most = most
        self._channel: Channel | None = None
        self._waiting: deque[tuple[Sender, bytes]] = deque()
        self._size = 0

    def attach(self, channel: Channel) -> None:
        """Send into this channel from now on, beginning with what waits."""
        self._channel = channel
        self.flush()

    def detach(self) -> None:
        """There is no channel for now."""
        self._channel = None

    def put(self, sender: Sender, message: bytes) -> bool:
        """Send, or have it wait; False if it was dropped."""
        channel = self._channel
        if channel is not None and not self._waiting and channel.room >= len(message):
            channel.send(message)
            return True
        if sender.waiting >= self._share or self._size + len(message) > self._most:
            return False
        sender.waiting += 1
        self._size += len(message)
        self._waiting.append((sender, message))
        if channel is not None:
            channel.wait()
        return True

    def flush(self) -> None:
        """Send what waits as far as there is room; to be called when the channel is `writable`."""
        channel = self._channel
        while channel is not None and self._waiting:
            sender, message = self._waiting[0]
            if channel.room < len(message):
                channel.wait()
                return
            self._waiting.popleft()
            self._size -= len(message)
            sender.waiting -= 1
            channel.send(message)

    def clear(self) -> None:
        """Forget what waits."""
        while self._waiting:
            self._waiting.popleft()[0].waiting -= 1
        self._size = 0
