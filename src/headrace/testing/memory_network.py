"""A network in memory: connections of real clients and real servers, made without a socket.

    Tunnel ──► Network.dial ──► Wire ◄─► (censor) ◄─► Wire ──► Session ──► Network.dial_beyond ──► destination

`Network.install` takes the place of `net.dial.dial` at both ends. Nothing waits for real time, so whole lives
pass on virtual time, and `Network.open` shows at any moment what has not been closed. The rules that `censor`
has for sockets hold here as well, and what they refuse or drop is refused and dropped.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, TypeVar
from unittest import mock

from headrace.base.errors import ConnectTimeout, NetworkError
from headrace.testing.censor_relay import CensorClock, Passage, Relay
from headrace.testing.censorship import STALL
from headrace.testing.inspection import Inspection, Rules, Script
from headrace.testing.probing import Prober
from headrace.testing.wire import Wire

__all__ = ["HANGS", "Destination", "Network", "Place", "settle"]

P = TypeVar("P", bound=asyncio.BaseProtocol)

#: An address where nobody answers, not even to refuse.
HANGS: Final = "hangs"
#: What answers at an address: the maker of a protocol for each connection, an error, or `HANGS`.
Place = Callable[[], asyncio.BaseProtocol] | str | NetworkError

#: Who dials: past the censor, and beyond.
_CLIENTS: Final = ("client.tunnel", "net.http", "net.upstream_proxy")
_SERVERS: Final = ("server.forwards",)


class _Patcher(Protocol):
    """As pytest's `monkeypatch`."""

    def setattr(self, target: str, name: object, /) -> None: ...


class Network:
    """Who answers where. An address that nobody has taken refuses connections.

    With `rules` there is a censor between those who `dial` and all others; it counts seconds on the loop's
    clock, from `epoch` on. `passages` are the connections that were made past it.
    """

    def __init__(self, rules: Rules | None = None, *, epoch: float = 0.0) -> None:
        self.places: dict[tuple[str, int], Place] = {}
        self.delays: dict[tuple[str, int], float] = {}  #: seconds until a connection is made
        self.dialled: list[tuple[str, int]] = []
        self.devices: list[str] = []  #: network interfaces that clients' connections were bound to, or ""
        self.wires: list[Wire] = []
        self.passages: list[Passage] = []
        self._inner: list[Wire] = []  # the censor's own ends
        self._script = None if rules is None else Script(rules)
        self._epoch = epoch
        self._prober: Prober | None = None

    # ---- set-up ---------------------------------------------------------------------------------------

    @classmethod
    def install(cls, monkeypatch: _Patcher, rules: Rules | None = None) -> "Network":
        """Return a network that the client's tunnels and the server's port forwards are connected to."""
        network = cls(rules)
        for target, dial in network._targets():
            monkeypatch.setattr(target, dial)
        return network

    @contextmanager
    def installed(self) -> Iterator["Network"]:
        """Do so without pytest, until the block ends."""
        with ExitStack() as stack:
            for target, dial in self._targets():
                stack.enter_context(mock.patch(target, dial))
            yield self

    def _targets(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        for module in _CLIENTS:
            yield f"headrace.{module}.dial", self.dial
        for module in _SERVERS:
            yield f"headrace.{module}.dial", self.dial_beyond

    def decree(self, rules: Rules) -> None:
        """Put other rules in force, for connections to come."""
        if self._script is None:
            self._script = Script(rules)
        else:
            self._script.decree(rules)

    # ---- what tests look at ---------------------------------------------------------------------------

    @property
    def open(self) -> list[Wire]:
        """Ends of connections that are not closed."""
        return [wire for wire in self.wires + self._inner if not wire.lost]

    async def probed(self) -> None:
        """Wait until every probe that the censor sent has been answered, or given up."""
        if self._prober is not None:
            await self._prober.finish()

    # ---- connections ----------------------------------------------------------------------------------

    async def dial(
        self, host: str, port: int, factory: Callable[[], P], timeout: float, device: str = ""
    ) -> P:
        """Connect past the censor, if there is one. As `net.dial.dial`."""
        inspection = None
        self.devices.append(device)
        if self._script is not None:
            inspection = self._script.open(host, port, asyncio.get_running_loop().time() - self._epoch)
        return await self._dial(host, port, factory, timeout, inspection)

    async def dial_beyond(self, host: str, port: int, factory: Callable[[], P], timeout: float) -> P:
        """Connect where no censor is. As `net.dial.dial`."""
        return await self._dial(host, port, factory, timeout, None)

    async def _dial(
        self, host: str, port: int, factory: Callable[[], P], timeout: float, inspection: Inspection | None
    ) -> P:
        self.dialled.append((host, port))
        try:
            async with asyncio.timeout(timeout):
                if inspection is not None:
                    await _admit(inspection)
                place = await self._find(host, port)
        except TimeoutError as error:
            raise ConnectTimeout(f"no connection within {timeout:g} s") from error
        protocol = factory()
        if inspection is None:
            self._connect(protocol, place)
        else:
            self._connect_through(protocol, place, inspection)
        return protocol

    async def _find(self, host: str, port: int) -> Callable[[], asyncio.BaseProtocol]:
        """Return who answers there, if and when somebody does. Raises NetworkError."""
        place = self.places.get((host, port), NetworkError("Connection refused"))
        await asyncio.sleep(self.delays.get((host, port), 0.0))
        if place == HANGS:
            await asyncio.Event().wait()
        if isinstance(place, NetworkError):
            raise place
        assert callable(place)
        return place

    def _connect(self, protocol: asyncio.BaseProtocol, place: Callable[[], asyncio.BaseProtocol]) -> None:
        near, far = Wire(protocol), Wire(place())
        self.wires += near, far
        near.join(far)

    def _connect_through(
        self,
        protocol: asyncio.BaseProtocol,
        place: Callable[[], asyncio.BaseProtocol],
        inspection: Inspection,
    ) -> None:
        async def reach(target: asyncio.Protocol) -> None:
            inner, far = Wire(target), Wire(place())
            self._inner.append(inner)
            self.wires.append(far)
            inner.join(far)

        async def reach_again(stranger: asyncio.Protocol) -> None:
            await self._find(inspection.connection.host, inspection.connection.port)
            await reach(stranger)

        clock = CensorClock(self._epoch)
        if self._prober is None:
            self._prober = Prober(clock)
        relay = Relay(inspection, clock, reach, partial(self._prober.send, connect=reach_again))
        self.passages.append(relay.passage)
        near, inner = Wire(protocol), Wire(relay.client)
        self.wires.append(near)
        self._inner.append(inner)
        near.join(inner)


async def _admit(inspection: Inspection) -> None:
    """Return when the connection may be made. Raises NetworkError; does not return if it is dropped."""
    opening = inspection.opening
    await asyncio.sleep(opening.delay)
    if not opening.made:
        if opening.ending is STALL:
            await asyncio.Event().wait()
        raise NetworkError("Connection refused")


@dataclass
class Destination(asyncio.Protocol):
    """Somewhere a connection leads: keeps what arrives, and answers when the test says so."""

    received: bytearray = field(default_factory=bytearray)
    finished: bool = False  #: the other side has half-closed
    lost: bool = False
    tcp: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.tcp = transport

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> bool:
        self.finished = True
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True

    def send(self, data: bytes) -> None:
        assert self.tcp is not None
        self.tcp.write(data)


async def settle() -> None:
    """Let everything happen that needs no time."""
    await asyncio.sleep(1e-6)
