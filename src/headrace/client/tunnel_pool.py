"""The tunnels in use, which take turns in carrying port forwards."""

from collections.abc import Iterator

from headrace.base.errors import NetworkError
from headrace.client.tunnel import Tunnel

__all__ = ["TunnelPool"]


class TunnelPool:
    """As many tunnels as there are, the oldest first."""

    def __init__(self) -> None:
        self._tunnels: list[Tunnel] = []
        self._turn = 0

    def __len__(self) -> int:
        return len(self._tunnels)

    def __iter__(self) -> Iterator[Tunnel]:
        return iter(tuple(self._tunnels))

    @property
    def addresses(self) -> set[str]:
        """Where they lead."""
        return {tunnel.dial_parameters.entry.ip_address for tunnel in self._tunnels}

    def add(self, tunnel: Tunnel) -> None:
        """Have a tunnel take its turns."""
        self._tunnels.append(tunnel)

    def remove(self, tunnel: Tunnel) -> None:
        """Use a tunnel no more."""
        self._tunnels.remove(tunnel)

    def next(self) -> Tunnel:
        """Return the tunnel whose turn it is. Raises NetworkError without any."""
        if not self._tunnels:
            raise NetworkError("no active tunnels")
        self._turn = (self._turn + 1) % len(self._tunnels)
        return self._tunnels[self._turn]
