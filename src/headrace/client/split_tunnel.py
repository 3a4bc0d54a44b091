"""Split tunnelling: which destinations are reached directly, and the way there (client spec §2.7).

    a destination ──► excluded by the user, or told so lately ──► directly, without asking
                  └─► the server is asked ──► opened: through the tunnel
                                          └─► "go yourself": remembered, and directly

What is reached directly is resolved on this machine and sees its address: that is the point, and the price. A
name that was somewhere else for the server does not lead into the user's own network.
"""

from collections import OrderedDict
from typing import Final, Self

from headrace.base.clock import Clock
from headrace.base.errors import Unreachable
from headrace.client.notices import Notices
from headrace.documents.client_config import ClientConfig
from headrace.documents.host_patterns import HostPatterns
from headrace.net.addresses import parse_address
from headrace.net.http import Connector
from headrace.net.streams import ByteStream, SocketStream
from headrace.ssh.forwarding import Destination

__all__ = ["SplitTunnel"]

#: Seconds for which a server's word is good, and of how many destinations it is remembered.
TTL: Final = 24 * 3600.0
MAX_REMEMBERED: Final = 65_536
#: A server's word for a country that it does not know.
_UNKNOWN: Final = "None"
#: This machine and the networks around it.
_NEARBY: Final = HostPatterns.parse(
    (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::/127",
        "fc00::/7",
        "fe80::/10",
    )
)


class SplitTunnel:
    """What goes past the tunnel. `connect` makes the connections that do, as tunnels' own are made."""

    def __init__(self, config: ClientConfig, notices: Notices, clock: Clock, connect: Connector) -> None:
        self.excluded: Final = config.split_tunnel_excluded_hosts  #: hosts that are never tunnelled
        self._own_region = config.split_tunnel_own_region
        self._regions = config.split_tunnel_regions
        self._patterns = HostPatterns.parse(self.excluded)
        self._proxied = bool(config.upstream_proxy_url)  # then names are resolved elsewhere
        self._notices = notices
        self._clock = clock
        self._connect = connect
        self._told: OrderedDict[Destination, float] = OrderedDict()  # until when; least recently used first

    @classmethod
    def of(cls, config: ClientConfig, notices: Notices, clock: Clock, connect: Connector) -> Self | None:
        """Return what a configuration asks for, None if that is nothing. Raises DocumentError."""
        split = cls(config, notices, clock, connect)
        return split if split.by_region or split.excluded else None

    @property
    def by_region(self) -> bool:
        """Whether servers are asked to tell by a destination's country."""
        return self._own_region or bool(self._regions)

    def regions(self, client_region: str) -> list[str]:
        """Return the countries that are not tunnelled to, for a client that a server sees in one."""
        own = [client_region] if self._own_region and client_region not in ("", _UNKNOWN) else []
        return list(dict.fromkeys((*own, *self._regions)))

    def bypasses(self, destination: Destination) -> bool:
        """Say whether to connect directly without asking a server."""
        until = self._told.get(destination)
        if until is not None:
            if self._clock.boottime() < until:
                self._told.move_to_end(destination)
                return True
            del self._told[destination]
        return self._excludes(destination)

    def _excludes(self, destination: Destination) -> bool:
        return bool(self.excluded) and self._patterns.match(destination.host)

    def told(self, destination: Destination) -> bool:
        """A server says to connect directly: remember it; return whether it was asked for such an answer.

        One that was not asked gets nobody to leave the tunnel.
        """
        if not self.by_region:
            return False
        self._told[destination] = self._clock.boottime() + TTL
        self._told.move_to_end(destination)
        if len(self._told) > MAX_REMEMBERED:
            self._told.popitem(last=False)
        return True

    def forget(self) -> None:
        """Ask again about everything: on another network the client may be in another country."""
        self._told.clear()

    async def connect(self, destination: Destination, timeout: float) -> ByteStream:
        """Connect directly, within `timeout` seconds, and say so. Raises NetworkError."""
        if not destination.possible:
            raise Unreachable("no host has such an address")
        host, port = destination.host, destination.port
        self._notices.emit("Untunneled", address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        stream = await self._connect(host, port, timeout)
        if self._was_rebound(destination, stream):
            stream.close()
            raise Unreachable("a server's word leads nobody into the user's own network")
        return stream

    def _was_rebound(self, destination: Destination, stream: ByteStream) -> bool:
        """Say whether a name that a server sent us to has an address around here, which it had not there.

        Web pages use such names to get at what stands beside the browser.
        """
        named = not self._proxied and parse_address(destination.host) is None
        if not named or self._excludes(destination) or not isinstance(stream, SocketStream):
            return False
        return _NEARBY.match(stream.peer_address)
