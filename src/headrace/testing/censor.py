"""A censor of TCP connections, scripted: a relay on loopback that passes on, looks, and strikes when told.

    async with Censor(server_port, rules=[Rule(RESET, down=4096), Rule(STALL, down=0)]) as censor:
        ...                              # dial censor.port in place of server_port

The first connection is reset once 4,096 bytes have come down to the client, the second one hears nothing,
later ones pass. Rules may also come from a function of the connection's number, from a generator without an
end, or from `itertools`: `repeat(REFUSE)` blocks an address for good.

A rule strikes as soon as its last byte has been passed on: it does not wait for the next, nor let one more
through. What a peer has not yet read when its connection is reset may be lost, as it would be anywhere.
"""

import asyncio
import enum
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from typing import Final, Self, cast

from headrace.net.dial import reset

__all__ = [
    "CLOSE",
    "KEPT",
    "PASS",
    "REFUSE",
    "RESET",
    "STALL",
    "Censor",
    "Ending",
    "Flow",
    "Passage",
    "Rule",
    "Rules",
]

#: First bytes of each direction that are kept to look at.
KEPT: Final = 64
_PIECE: Final = 256 * 1024
#: Pieces a second, so that a throttled connection flows rather than jumps.
_PIECES: Final = 20


class Ending(enum.Enum):
    """How a rule strikes, at both ends of the connection unless said."""

    RESET = enum.auto()  #: RST
    CLOSE = enum.auto()  #: the client gets FIN, as if that had been all; the target RST
    STALL = enum.auto()  #: nothing: the connection stays open, and whatever is sent is swallowed


RESET, CLOSE, STALL = Ending


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done to one connection.

    The `ending` comes when `down` bytes have gone to the client or `up` bytes to the target, whichever is
    first; with 0 at once, and the target is not dialled. Without a number it never comes.
    """

    ending: Ending = RESET
    _: KW_ONLY
    down: int | None = None
    up: int | None = None
    rate: float | None = None  #: bytes a second, each way
    delay: float = 0.0  #: seconds before the target is dialled

    @property
    def strikes_at_once(self) -> bool:
        """Whether there is nothing to let through."""
        return 0 in (self.down, self.up)


PASS: Final = Rule()
#: The connection is made, which a relay cannot prevent, and reset at once.
REFUSE: Final = Rule(RESET, down=0)

#: One rule a connection, in turn (`PASS` when there are no more), or a function of the connection's number.
Rules = Callable[[int], Rule] | Iterable[Rule]


@dataclass(slots=True)
class Flow:
    """One direction of a connection."""

    passed: int = 0  #: bytes handed on
    first: bytearray = field(default_factory=bytearray)  #: what came first, handed on or not: `KEPT` bytes


@dataclass(slots=True)
class Passage:
    """One connection, and what has become of it."""

    number: int  #: counted from 0
    rule: Rule
    up: Flow = field(default_factory=Flow)  #: from the client
    down: Flow = field(default_factory=Flow)  #: to the client
    struck: asyncio.Event = field(default_factory=asyncio.Event)  #: the rule's ending has come
    ended: asyncio.Event = field(default_factory=asyncio.Event)  #: nothing is open any more


class Censor:
    """Listens while the `async with` block runs; leaving it resets what is connected.

    `host` and `port` are to be dialled; 0 lets the system choose the port. `connections` are all there have
    been.
    """

    def __init__(
        self,
        target_port: int,
        *,
        target_host: str = "127.0.0.1",
        rules: Rules = (),
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.host = host
        self.port = port
        self.connections: list[Passage] = []
        self._target = (target_host, target_port)
        self._server: asyncio.Server | None = None
        self._accepted = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.decree(rules)

    @property
    def up(self) -> int:
        """Bytes passed on from clients so far."""
        return sum(passage.up.passed for passage in self.connections)

    @property
    def down(self) -> int:
        """Bytes passed on to clients so far."""
        return sum(passage.down.passed for passage in self.connections)

    async def connection(self, number: int = 0) -> Passage:
        """Return the connection with this number, once it has been made."""
        while len(self.connections) <= number:
            self._accepted.clear()
            await self._accepted.wait()
        return self.connections[number]

    def decree(self, rules: Rules) -> None:
        """Put other rules in force, for connections to come."""
        if callable(rules):
            self._rule_for = rules
        else:
            turns = iter(rules)
            self._rule_for = lambda _: next(turns, PASS)

    async def drop(self) -> None:
        """Reset everything that is connected now."""
        await asyncio.sleep(0)  # a task that has not begun would end without having closed anything
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.drop()
        await self._server.wait_closed()

    # ---- one connection -------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Side(reader, writer)
        if self._server is not None and not self._server.is_serving():  # it came as we closed
            client.reset()
            return
        number = len(self.connections)
        passage = Passage(number, self._rule_for(number))
        self.connections.append(passage)
        self._accepted.set()
        task = asyncio.get_running_loop().create_task(self._handle(client, passage))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, client: "_Side", passage: Passage) -> None:
        try:
            await self._apply(client, passage)
            client.close()
        except (OSError, asyncio.CancelledError):  # one side has gone, or `drop`
            client.reset()
        finally:
            await client.gone()
            passage.ended.set()

    async def _apply(self, client: "_Side", passage: Passage) -> None:
        rule = passage.rule
        await asyncio.sleep(rule.delay)
        if rule.strikes_at_once:
            await _strike(client, passage)
            return
        target = _Side(*await asyncio.open_connection(*self._target))
        try:
            if await _let_through(client, target, passage):
                target.close()
                return
            if rule.ending is not STALL:
                target.reset()
            await _strike(client, passage)
            target.reset()
        except BaseException:
            target.reset()
            raise
        finally:
            await target.gone()


class _Side:
    """The relay's connection to the client, or to the target."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.close = writer.close
        writer.transport.set_write_buffer_limits(0)  # `drain` returns when all is on its way

    def finish(self) -> None:
        """Send FIN. Raises OSError."""
        if not self.writer.is_closing():
            self.writer.write_eof()

    def reset(self) -> None:
        """Send RST."""
        reset(cast("asyncio.Transport", self.writer.transport))

    async def gone(self) -> None:
        """Wait until the closed connection has left the loop."""
        with suppress(OSError):
            await self.writer.wait_closed()


async def _let_through(client: _Side, target: _Side, passage: Passage) -> bool:
    """Pass on both ways. Return True at the end of both, False when the rule strikes; raises OSError."""
    rule = passage.rule
    ways = [
        asyncio.ensure_future(_copy(client, target, passage.up, rule.up, rule.rate)),
        asyncio.ensure_future(_copy(target, client, passage.down, rule.down, rule.rate)),
    ]
    try:
        for way in asyncio.as_completed(ways):
            if not await way:
                return False
        return True
    finally:
        for task in ways:
            task.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _copy(source: _Side, sink: _Side, flow: Flow, limit: int | None, rate: float | None) -> bool:
    """Pass on until the end, which is passed on too: then return True. Return False at the limit."""
    most = _PIECE if rate is None else max(1, int(rate / _PIECES))
    while data := await source.reader.read(most if limit is None else min(most, limit - flow.passed)):
        _look(data, flow)
        sink.writer.write(data)
        flow.passed += len(data)
        await sink.writer.drain()
        if flow.passed == limit:
            return False
        if rate is not None:
            await asyncio.sleep(len(data) / rate)
    sink.finish()
    return True


async def _strike(client: _Side, passage: Passage) -> None:
    """Do what the rule says, and return when the client has gone. Raises OSError if it is to be reset."""
    ending = passage.rule.ending
    passage.struck.set()
    if ending is RESET:
        raise ConnectionResetError
    if ending is CLOSE:
        client.finish()
    # Reading on: closing on unread bytes would be a reset, and a client that leaves is to be noticed.
    while data := await client.reader.read(_PIECE):
        _look(data, passage.up)


def _look(data: bytes, flow: Flow) -> None:
    if (room := KEPT - len(flow.first)) > 0:
        flow.first += data[:room]
