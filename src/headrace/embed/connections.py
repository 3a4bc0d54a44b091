"""Connections through the tunnel for asyncio: what `loop.create_connection` is for the network as it is.

a destination ──► open_stream ──► a channel: ChannelTransport ──► (TLS) ──► the protocol
                              └─► past the tunnel, where split tunnelling says so: a socket's own transport
"""

import asyncio
import ssl
from asyncio import sslproto
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, cast
from weakref import WeakSet

from headrace.base.errors import NetworkError
from headrace.client.forward_stream import ForwardFailed, open_stream
from headrace.client.local_connection import PortForwarder
from headrace.codec.host_names import parse_host
from headrace.embed.channel_transport import ChannelTransport
from headrace.embed.errors import ConnectionFailed
from headrace.net.streams import ByteStream, ChannelStream, SocketStream
from headrace.ssh.forwarding import Destination, Failure

__all__ = ["CONNECT_TIMEOUT", "Connections"]

P = TypeVar("P", bound=asyncio.BaseProtocol)

#: Seconds for a connection, TLS and the wait for a tunnel that is made anew included.
CONNECT_TIMEOUT: Final = 30.0
#: Connections in the making: a server dials some 64 destinations at once for a client; others wait.
MAX_OPENING: Final = 60
#: Seconds after which it is known that a tunnel is lost.
PAUSE: Final = 0.1
#: Bytes that a reader may be behind, as `asyncio.open_connection` has it.
LIMIT: Final = 64 * 1024


class Connections:
    """Makes them over `forwarder`, while there is a tunnel: `connected` is set then."""

    def __init__(self, forwarder: PortForwarder, connected: asyncio.Event) -> None:
        self._forwarder = forwarder
        self._connected = connected
        self._loop = forwarder.loop
        self._opening = asyncio.Semaphore(MAX_OPENING)
        self._ended = False
        self._context: ssl.SSLContext | None = None
        self._direct: WeakSet[SocketStream | asyncio.Transport] = WeakSet()  # no loss of a tunnel ends them

    async def create_connection(
        self,
        protocol_factory: Callable[[], P],
        host: str,
        port: int,
        *,
        ssl: ssl.SSLContext | bool | None = None,
        server_hostname: str | None = None,
        timeout: float = CONNECT_TIMEOUT,
    ) -> tuple[asyncio.Transport, P]:
        """Connect a protocol to `host`, a name or an address, which the far end of the tunnel resolves.

        With `ssl` there is TLS on the connection: True verifies the server against the system's authorities
        and for `server_hostname`, which is `host` if nothing else is said. `timeout` is in seconds.

        Raises ConnectionFailed, or ssl.SSLError.
        """
        deadline = self._loop.time() + timeout
        stream = await self.open_stream(host, port, timeout)
        try:
            protocol = protocol_factory()
            if not ssl:
                return self._attach(stream, protocol, host, port), protocol
            context = self._default_context() if ssl is True else ssl
            shaken: asyncio.Future[None] = self._loop.create_future()
            name = server_hostname or host
            tls = sslproto.SSLProtocol(self._loop, protocol, context, shaken, server_hostname=name)
            transport = self._attach(stream, tls, host, port)
        except BaseException:
            stream.close()
            raise
        try:
            async with asyncio.timeout_at(deadline):
                await shaken
        except BaseException as error:
            transport.abort()
            if isinstance(error, TimeoutError):
                raise ConnectionFailed(Failure.TIMED_OUT) from error
            raise
        return tls._app_transport, protocol

    async def open_connection(
        self,
        host: str,
        port: int,
        *,
        ssl: ssl.SSLContext | bool | None = None,
        server_hostname: str | None = None,
        timeout: float = CONNECT_TIMEOUT,
        limit: int = LIMIT,
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect, to read and write; as `asyncio.open_connection`, and otherwise as `create_connection`."""
        reader = asyncio.StreamReader(limit, self._loop)
        transport, protocol = await self.create_connection(
            lambda: asyncio.StreamReaderProtocol(reader, loop=self._loop),
            host,
            port,
            ssl=ssl,
            server_hostname=server_hostname,
            timeout=timeout,
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)

    async def open_stream(self, host: str, port: int, timeout: float = CONNECT_TIMEOUT) -> ByteStream:
        """Connect within `timeout` seconds, and wait for a tunnel meanwhile. Raises ConnectionFailed."""
        deadline = self._loop.time() + timeout
        try:
            destination = Destination(str(parse_host(host)), port)
        except NetworkError as error:
            raise ConnectionFailed(Failure.NO_SUCH_NAME) from error
        while True:
            await self._until(deadline, self._connected.wait(), Failure.NO_TUNNEL)
            await self._until(deadline, self._opening.acquire(), Failure.TIMED_OUT)
            try:
                stream = await open_stream(self._forwarder, destination, deadline - self._loop.time())
                break
            except ForwardFailed as error:
                if error.why is not Failure.NO_TUNNEL or self._ended:
                    raise ConnectionFailed(error.why) from error
            finally:
                self._opening.release()
            await asyncio.sleep(PAUSE)
        if isinstance(stream, SocketStream):
            self._direct.add(stream)
        return stream

    @staticmethod
    async def _until(deadline: float, event: Awaitable[object], late: Failure) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await event
        except TimeoutError as error:
            raise ConnectionFailed(late) from error

    def drop(self) -> None:
        """Make no more connections, and drop those that are not in the tunnel: the others end with it."""
        self._ended = True
        self._connected.set()  # whoever waits for another tunnel waits in vain
        for connection in list(self._direct):
            connection.abort()

    def _attach(
        self, stream: ByteStream, protocol: asyncio.BaseProtocol, host: str, port: int
    ) -> asyncio.Transport:
        if isinstance(stream, ChannelStream):
            transport = ChannelTransport(self._loop, protocol, (host, port))
            stream.hand_over(transport)
            return transport
        try:
            direct = cast("SocketStream", stream).hand_over(protocol)
        except NetworkError as error:
            raise ConnectionFailed(Failure.FAILED) from error
        self._direct.add(direct)
        return direct

    def _default_context(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context()
        return self._context
