"""What a tunnel protocol has to provide."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from headrace.base.rng import Rng
from headrace.net.tunnel_socket import Layer
from headrace.obfuscation.preamble import MAX_PADDING, MIN_SERVER_PADDING
from headrace.obfuscation.prefix import ClientPrefix, PrefixSpecs
from headrace.ssh.algorithms import Offer

__all__ = ["ClientSide", "ServerSide", "TunnelProtocol"]


@dataclass(frozen=True, slots=True)
class ClientSide:
    """What a client's layer is made from: the server's keyword, and the choices made for this dial.

    `padding` is None where it does not matter how much there is. `shape` draws the lengths that are to be the
    same in a replay; None has `rng` draw them, as it does everything else.
    """

    keyword: bytes
    rng: Rng
    prefix: ClientPrefix | None = None
    padding: int | None = None
    shape: Rng | None = None


@dataclass(frozen=True, slots=True)
class ServerSide:
    """What a server's layer is made from. `seen` records a seed and tells whether it was there already.

    `now` is when the connection came, in seconds since 1970.
    """

    keyword: bytes
    rng: Rng
    prefixes: PrefixSpecs
    seen: Callable[[bytes], bool]
    padding: tuple[int, int] = (MIN_SERVER_PADDING, MAX_PADDING)
    now: float = 0.0


class TunnelProtocol(ABC):
    """One tunnel protocol, both sides of it."""

    name: str
    offer: Offer  #: SSH algorithms, in our order
    hide_lengths: bool  #: whether the stream must look random to the end

    @abstractmethod
    def client_layer(self, side: ClientSide) -> Layer:
        """Return the layer of one dial; seeds and keys are made here, before anything is waited for."""

    @abstractmethod
    def server_layer(self, side: ServerSide) -> Layer:
        """Return the layer of one accepted connection."""
