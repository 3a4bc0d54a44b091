"""A server process: its listeners, the sessions they lead to, and the limits they live under.

Several workers may run side by side on the same ports. They share the seed history on disk, so that a
replayed preamble is refused by every one of them, and nothing else.
"""

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from headrace.net.dial import listen
from headrace.net.interfaces import every_address
from headrace.net.resolve import Resolver
from headrace.server.osl_seeding import SeedStates
from headrace.server.session import Session
from headrace.server.shared import Shared
from headrace.server.stats.snapshot import Snapshot
from headrace.server.stats.worker_snapshot import take_snapshot
from headrace.transports import TunnelProtocol, tunnel_protocol

__all__ = ["Worker"]

_log = logging.getLogger(__name__)

#: Seconds between two looks at what is idle, and the silence after which a tunnel is given up.
SWEEP: Final = 5.0
SILENCE: Final = 300.0


class Worker:
    """Listens and keeps the sessions. `start`, then `stop`."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.resolver = Resolver()
        self.seed_states = SeedStates(shared.osl, shared.clock)
        self.counts: Counter[str] = Counter()  #: of what happened since the start
        self.refusals: Counter[str] = Counter()  #: why strangers were refused, and how many
        self.ports: dict[str, int] = {}
        self._servers: list[asyncio.Server] = []
        self._sessions: set[Session] = set()
        self._handshaking: set[Session] = set()
        self._queue: deque[tuple[Session, Callable[[], None]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._drained: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # ---- life -----------------------------------------------------------------------------------------

    async def start(self, host: str | None = None) -> None:
        """Listen for every configured protocol. Raises OperatorError if a port cannot be had."""
        config = self.shared.config
        for name, port in config.protocol_ports.items():
            server = await listen(
                partial(self.accept, tunnel_protocol(name)),
                host if host is not None else every_address(),
                port,
                what=name,
                shared=True,
            )
            self._servers.append(server)
            self.ports[name] = server.sockets[0].getsockname()[1]
        self.resolver.start()  # importing it takes a moment: better now than at the first look-up
        self.spawn(self.sweep())
        if config.load_monitor_period_seconds:
            self.spawn(self._report_load(config.load_monitor_period_seconds))

    async def stop(self, grace: float = 0.0) -> None:
        """Stop listening, give open tunnels `grace` seconds to end by themselves, close the rest."""
        for server in self._servers:
            server.close()
        if grace and self.tunnels:
            self._drained = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await self._drained.wait()
        for session in list(self._sessions):
            session.socket.disconnect()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.resolver.close()

    def reload(self, shared: Shared) -> None:
        """Serve by this from now on. Progress towards other obfuscated lists than before is lost."""
        changed = shared.osl != self.shared.osl
        self.shared = shared
        if changed:
            self.seed_states = SeedStates(shared.osl, shared.clock)
            for session in self._sessions:
                session.reseed()

    def hurry(self) -> None:
        """Wait no longer for open tunnels."""
        if self._drained is not None:
            self._drained.set()

    @property
    def sessions(self) -> frozenset[Session]:
        """Every session there is now."""
        return frozenset(self._sessions)

    @property
    def tunnels(self) -> int:
        """Tunnels in use."""
        return sum(session.state == "tunnel" for session in self._sessions)

    def snapshot(self) -> Snapshot:
        """Return this worker's figures."""
        return take_snapshot(self)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine as a task that is kept alive until it ends."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ---- sessions -------------------------------------------------------------------------------------

    def accept(self, protocol: TunnelProtocol) -> asyncio.BaseProtocol:
        """Begin a session; return the protocol for its connection."""
        session = Session(self, protocol)
        self._sessions.add(session)
        return session.socket

    def admit(self, session: Session, proceed: Callable[[], None]) -> bool:
        """Give a handshake its turn now, or queue it for a while (tunnel spec §4)."""
        limit = self.shared.max_handshakes
        if not limit or len(self._handshaking) < limit:
            self._handshaking.add(session)
            return True
        self._queue.append((session, proceed))
        asyncio.get_running_loop().call_later(self.shared.queue_timeout, self._give_up, session)
        return False

    def _give_up(self, session: Session) -> None:
        if self._leave_queue(session):
            session.socket.finish()

    def _leave_queue(self, session: Session) -> bool:
        for place, (waiting, _) in enumerate(self._queue):
            if waiting is session:
                del self._queue[place]
                return True
        return False

    def released(self, session: Session) -> None:
        """A handshake is over: let the next one begin."""
        if session in self._handshaking:
            self._handshaking.discard(session)
            if self._queue:
                waiting, proceed = self._queue.popleft()
                self._handshaking.add(waiting)
                proceed()

    def ended(self, session: Session) -> None:
        """A session's connection is gone."""
        self._sessions.discard(session)
        self._leave_queue(session)  # else it would be given a place that nobody gives back
        self.released(session)
        if self._drained is not None and not self.tunnels:
            self._drained.set()

    def count_refusal(self, reason: str) -> None:
        """Count a stranger; nothing else is kept of it."""
        self.refusals[reason] += 1

    async def _report_load(self, period: float) -> None:
        """Log now and then what there is to do; only numbers, and why strangers were refused."""
        while True:
            await asyncio.sleep(period)
            self.log_load()

    def log_load(self) -> None:
        """Log how many tunnels, handshakes and strangers there are, and what strangers were refused for."""
        states = Counter(session.state for session in self._sessions)
        refusals, self.refusals = self.refusals, Counter()
        _log.info("load", extra={"sessions": dict(states), "refusals": dict(refusals)})

    async def sweep(self) -> None:
        """Look now and then for what is idle, without an end."""
        while True:
            await asyncio.sleep(SWEEP)
            for session in list(self._sessions):
                session.sweep(SWEEP, SILENCE)
