"""The connection layer of SSH (RFC 4254): global requests in order, and channels.

One object per authenticated connection. Opening messages of the peer go to `accept`, which answers through
the channel it is handed, now or later; its global requests go to `answer`, which returns the reply or None to
refuse.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from headrace.base.errors import RemoteProtocolError
from headrace.ssh import numbers
from headrace.ssh.channel import INITIAL_WINDOW, MAX_DATA, MAX_WINDOW, Channel, Endpoint
from headrace.ssh.transport import Handler, Transport
from headrace.ssh.wire import Reader, boolean, string, u32

__all__ = ["Connection"]

#: Most channels the peer may have open at once; servers set lower limits of their own.
MAX_CHANNELS: Final = 4096

Accept = Callable[[Channel, bytes, memoryview], None]
Answer = Callable[[bytes, memoryview], bytes | None]


class Connection:
    """Channels and requests over an authenticated transport."""

    def __init__(
        self, transport: Transport, accept: Accept, answer: Answer, max_channels: int = MAX_CHANNELS
    ) -> None:
        self.transport = transport
        self.paused = transport.holding  #: no bulk data at the moment
        self.eager: set[Channel] = set()  #: channels whose endpoints may be reading
        self.waiting: dict[Channel, None] = {}  #: channels to resume, first come first served
        self.channels: dict[int, Channel] = {}
        self.growth_left = MAX_WINDOW  #: by how much the channels' windows may still grow, all together
        self._accept = accept
        self._answer = answer
        self._max_channels = max_channels
        self._free: list[int] = []
        self._replies: deque[Callable[[bytes | None], None]] = deque()
        self._blocked = False
        self._rekeying = transport.holding
        transport.pause = self._on_rekey
        table = transport.table
        table[numbers.GLOBAL_REQUEST] = self._on_global_request
        table[numbers.REQUEST_SUCCESS] = self._on_success
        table[numbers.REQUEST_FAILURE] = self._on_failure
        table[numbers.CHANNEL_OPEN] = self._on_open
        table[numbers.CHANNEL_OPEN_CONFIRMATION] = self._on_confirmation
        table[numbers.CHANNEL_OPEN_FAILURE] = self._on_open_failure
        table[numbers.CHANNEL_DATA] = self._on_data
        table[numbers.CHANNEL_EXTENDED_DATA] = self._on_extended_data
        table[numbers.CHANNEL_WINDOW_ADJUST] = self._for_channel(Channel.on_adjust)
        table[numbers.CHANNEL_EOF] = self._for_channel(lambda channel, reader: channel.on_eof())
        table[numbers.CHANNEL_CLOSE] = self._for_channel(lambda channel, reader: channel.on_close())
        table[numbers.CHANNEL_REQUEST] = self._for_channel(self._on_channel_request)
        table[numbers.CHANNEL_SUCCESS] = table[numbers.CHANNEL_FAILURE] = _never_asked

    # ---- what the upper layer asks for ----------------------------------------------------------------

    def open(self, kind: bytes, extra: bytes, endpoint: Endpoint) -> Channel:
        """Ask the peer to open a channel; the endpoint hears `opened` or `refused`."""
        channel = self._new_channel(endpoint)
        self.transport.send(
            bytes((numbers.CHANNEL_OPEN,))
            + string(kind)
            + u32(channel.local)
            + u32(INITIAL_WINDOW)
            + u32(MAX_DATA)
            + extra
        )
        return channel

    def request(self, name: bytes, payload: bytes, reply: Callable[[bytes | None], None]) -> None:
        """Send a global request; `reply` gets the peer's answer, or None if it refused or is gone."""
        self._replies.append(reply)
        self.transport.send(bytes((numbers.GLOBAL_REQUEST,)) + string(name) + boolean(True) + payload)

    @property
    def unanswered(self) -> int:
        """How many of our requests wait for a reply."""
        return len(self._replies)

    def block(self, blocked: bool) -> None:
        """Tell whether the way out is full: no endpoint may read while it is."""
        self._blocked = blocked
        self._update()

    def lost(self, error: Exception | None) -> None:
        """The connection is over: tell every channel and every request."""
        self.paused = True
        self.waiting.clear()
        self.eager.clear()
        channels, self.channels = self.channels, {}
        for channel in channels.values():
            channel.lost(error)
        while self._replies:
            self._replies.popleft()(None)

    def forget(self, channel: Channel) -> None:
        """Free a channel's number."""
        if self.channels.pop(channel.local, None) is not None:
            self._free.append(channel.local)
            self.growth_left += channel.growth
            self.eager.discard(channel)
            self.waiting.pop(channel, None)

    # ---- pausing --------------------------------------------------------------------------------------

    def _on_rekey(self, rekeying: bool) -> None:
        self._rekeying = rekeying
        self._update()

    def _update(self) -> None:
        paused = self._blocked or self._rekeying
        if paused == self.paused:
            return
        self.paused = paused
        if paused:
            eager, self.eager = self.eager, set()
            for channel in eager:
                channel.waiting = True
                self.waiting[channel] = None
                if channel.endpoint is not None:
                    channel.endpoint.pause()
            return
        # Resuming may fill the way out again, and may end channels: look afresh each time.
        while self.waiting and not self.paused:
            channel = next(iter(self.waiting))
            del self.waiting[channel]
            channel.resume()

    # ---- global requests ------------------------------------------------------------------------------

    def _on_global_request(self, payload: memoryview) -> None:
        reader = Reader(payload[1:])
        name = bytes(reader.string())
        want_reply = reader.boolean()
        reply = self._answer(name, reader.rest())
        if want_reply and reply is None:
            self.transport.send(bytes((numbers.REQUEST_FAILURE,)))
        elif want_reply and reply is not None:
            self.transport.send(bytes((numbers.REQUEST_SUCCESS,)) + reply)

    def _on_success(self, payload: memoryview) -> None:
        self._next_reply()(bytes(payload[1:]))

    def _on_failure(self, payload: memoryview) -> None:
        self._next_reply()(None)

    def _next_reply(self) -> Callable[[bytes | None], None]:
        if not self._replies:
            raise RemoteProtocolError("an answer to a request that was never made")
        return self._replies.popleft()

    # ---- channels -------------------------------------------------------------------------------------

    def _new_channel(self, endpoint: Endpoint | None) -> Channel:
        number = self._free.pop() if self._free else len(self.channels)
        channel = self.channels[number] = Channel(self, number, endpoint)
        return channel

    def _on_open(self, payload: memoryview) -> None:
        reader = Reader(payload[1:])
        kind = bytes(reader.string())
        remote, window, packet = reader.u32(), reader.u32(), reader.u32()
        if len(self.channels) >= self._max_channels:
            failure = bytes((numbers.CHANNEL_OPEN_FAILURE,)) + u32(remote) + u32(numbers.RESOURCE_SHORTAGE)
            self.transport.send(failure + string(b"too many channels") + string(b""))
            return
        channel = self._new_channel(None)
        channel.agree(remote, window, packet)
        self._accept(channel, kind, reader.rest())

    def _on_confirmation(self, payload: memoryview) -> None:
        reader = Reader(payload[1:])
        channel = self._asked_for(reader)
        channel.agree(reader.u32(), reader.u32(), reader.u32())
        channel.open = True
        assert channel.endpoint is not None
        channel.endpoint.opened(channel)

    def _on_open_failure(self, payload: memoryview) -> None:
        reader = Reader(payload[1:])
        channel = self._asked_for(reader)
        reason = reader.u32()
        text = str(bytes(reader.string()), "utf-8", "replace")
        self.forget(channel)
        endpoint, channel.endpoint = channel.endpoint, None
        assert endpoint is not None
        endpoint.refused(reason, text)

    def _asked_for(self, reader: Reader) -> Channel:
        channel = self.channels.get(reader.u32())
        if channel is None or channel.open or channel.endpoint is None:
            raise RemoteProtocolError("an answer about a channel that was never asked for")
        return channel

    def _on_data(self, payload: memoryview) -> None:
        # The hot path: parsed by hand, with the same checks as everywhere.
        channel = self.channels.get(int.from_bytes(payload[1:5], "big"))
        if channel is None or not channel.open or int.from_bytes(payload[5:9], "big") != len(payload) - 9:
            raise RemoteProtocolError("data for no channel, or of another length than announced")
        channel.on_data(payload[9:])

    def _on_extended_data(self, payload: memoryview) -> None:
        """No channel of ours has a second stream."""
        raise RemoteProtocolError("extended data on a channel that has none")

    def _for_channel(self, act: Callable[[Channel, Reader], None]) -> Handler:
        def handle(payload: memoryview) -> None:
            reader = Reader(payload[1:])
            channel = self.channels.get(reader.u32())
            if channel is None or not channel.open:
                raise RemoteProtocolError(f"message {payload[0]} for no channel")
            act(channel, reader)

        return handle

    def _on_channel_request(self, channel: Channel, reader: Reader) -> None:
        reader.string()
        if reader.boolean():
            self.transport.send(bytes((numbers.CHANNEL_FAILURE,)) + u32(channel.remote))


def _never_asked(payload: memoryview) -> None:
    raise RemoteProtocolError("an answer to a channel request that was never made")
