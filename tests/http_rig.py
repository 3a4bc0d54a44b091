"""Applications at the HTTP proxy, and origins behind a tunnel in memory: every byte in the test's hands."""

import base64

from tests.memory_network import settle

from headrace.client.http_proxy import HttpProxy
from headrace.client.proxy_options import ProxyOptions
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.memory_tunnel import MemoryTunnel
from headrace.testing.peers import RecordingEndpoint

__all__ = ["GET", "OK", "HttpRig", "authorization"]

GET = b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class HttpRig:
    """A proxy whose port forwards lie until the test answers them."""

    def __init__(self, options: ProxyOptions | None = None, tunnel: MemoryTunnel | None = None) -> None:
        self.tunnel = tunnel or MemoryTunnel(answers=False)
        self.proxy = HttpProxy(self.tunnel, options or ProxyOptions())

    def application(self) -> FakeTcp:
        """Return an application's connection."""
        return FakeTcp(self.proxy.connection())

    async def asked(self, data: bytes = GET) -> tuple[FakeTcp, RecordingEndpoint]:
        """Make a request on a connection of its own; return that, and the origin's end of the forward."""
        tcp = self.application()
        tcp.arrive(data)
        return tcp, await self.origin()

    async def origin(self) -> RecordingEndpoint:
        """Let the port forward that was asked for last be opened; return the origin's end."""
        await settle()
        channel = self.tunnel.channels[-1]
        far = RecordingEndpoint(channel=channel)
        channel.accept(far)
        await settle()
        return far


def authorization(user: str, password: str) -> bytes:
    """Return the line with which an application says who it is."""
    return b"Proxy-Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()) + b"\r\n"
