"""Tunnels in memory with the server's end of udpgw in the test's hands."""

import asyncio
from collections.abc import Callable

from headrace.base.errors import NetworkError
from headrace.codec.udpgw import Frame, UdpgwDecoder, encode_frame
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.forwarding import DIRECT_TCPIP, Destination
from headrace.testing.peers import RecordingEndpoint, SshPair

__all__ = ["ScriptedServer"]


class ScriptedServer:
    """Takes the controller's place for a UdpgwClient. `tunnel` makes one, `lose` ends it.

    While `refuses`, channels are refused. With `answer`, frames are answered at once.
    """

    def __init__(self, *, answer: Callable[[Frame], Frame | None] = lambda frame: None) -> None:
        self.asked: list[tuple[float, Destination]] = []  #: when a channel was asked for
        self.refuses = False
        self.frames: list[Frame] = []  #: what has come
        self.raw = bytearray()  #: all of it, keep-alives too
        self._answer = answer
        self._pair: SshPair | None = None
        self._far: Channel | None = None
        self._loop = asyncio.get_running_loop()
        self._scheduled = False

    @property
    def open(self) -> bool:
        """Whether there is a channel."""
        return self._far is not None and self._far.open

    def open_forward(self, destination: Destination, endpoint: Endpoint) -> Channel:
        self.asked.append((self._loop.time(), destination))
        if self._pair is None or self._pair.client.connection is None:
            raise NetworkError("no active tunnels")
        return self._pair.client.connection.open(DIRECT_TCPIP, destination.encode(), endpoint)

    def tunnel(self) -> None:
        """There is a tunnel from now on."""
        self._pair = SshPair(accept=self._accept, wake=self._wake).start()
        self._pair.run()

    def lose(self) -> None:
        """It is lost."""
        assert self._pair is not None
        for peer in (self._pair.client, self._pair.server):
            assert peer.connection is not None
            peer.connection.lost(NetworkError("the tunnel was lost"))
        self._pair = self._far = None

    def block(self, blocked: bool) -> None:
        """The way out of the client is full."""
        assert self._pair is not None and self._pair.client.connection is not None
        self._pair.client.connection.block(blocked)

    def send(self, *messages: Frame | bytes) -> None:
        assert self._far is not None
        for message in messages:
            self._far.send(encode_frame(message) if isinstance(message, Frame) else message)

    def hang_up(self) -> None:
        assert self._far is not None
        self._far.close()

    def say_no_more(self) -> None:
        assert self._far is not None
        self._far.eof()

    def _accept(self, channel: Channel, kind: bytes, extra: memoryview) -> None:
        if self.refuses:
            channel.refuse(1, "")
            return
        self._far = channel
        channel.accept(_Far(self._received))

    def _received(self, data: bytes, decoder: UdpgwDecoder) -> None:
        self.raw += data
        for frame in decoder.receive(data):
            self.frames.append(frame)
            answer = self._answer(frame)
            if answer is not None:
                self.send(answer)

    def _wake(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._scheduled = False
        if self._pair is not None:
            self._pair.run()


class _Far(RecordingEndpoint):
    def __init__(self, receive: Callable[[bytes, UdpgwDecoder], None]) -> None:
        super().__init__()
        self._receive = receive
        self._decoder = UdpgwDecoder()

    def data(self, view: memoryview) -> None:
        self._receive(bytes(view), self._decoder)
