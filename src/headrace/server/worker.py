"""A server process: its listeners, the sessions they lead to, and the limits they live under.

Several workers may run side by side on the same ports. They share the seed history on disk, so that a
replayed preamble is refused by every one of them, and nothing else.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Final

from headrace.net.interfaces import every_address
from headrace.net.listener import Listener
from headrace.net.resolve import Resolver
from headrace.server.authorizations import Authorizations
from headrace.server.clients import Clients
from headrace.server.front import Front
from headrace.server.load.accept_rate import AcceptRate
from headrace.server.load.admission import Admission
from headrace.server.load.descriptors import Descriptors
from headrace.server.load.door import Door
from headrace.server.load.memory import Memory, hoarders
from headrace.server.load.newcomers import Newcomers
from headrace.server.osl_seeding import SeedStates
from headrace.server.session import Session
from headrace.server.shared import Shared
from headrace.server.stats.snapshot import Snapshot
from headrace.server.stats.worker_snapshot import take_snapshot
from headrace.server.stats.worker_stats import WorkerStats
from headrace.transports import TunnelProtocol, tunnel_protocol

__all__ = ["Worker"]

_log = logging.getLogger(__name__)

#: Seconds between two looks at what is idle, and the silence after which a tunnel is given up.
SWEEP: Final = 5.0
SILENCE: Final = 300.0
#: Most connections that are held without being logged in, and that as a part of the descriptors there are.
MAX_NEWCOMERS: Final = 10_000
NEWCOMERS_SHARE: Final = 4
#: Visitors at the web server, each with two descriptors, as a part of those there are.
FRONT_SHARE: Final = 16


class Worker:
    """Listens and keeps the sessions. `start`, then `stop`; in between its `door` may be shut and opened."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.resolver = Resolver([shared.dns_server] if shared.dns_server else (), tell=self._looked_up)
        self.seed_states = SeedStates(shared.osl, shared.clock)
        self.counts: Counter[str] = Counter()  #: of what happened since the start
        ring = shared.config.access_control_verification_key_ring
        self.authorizations = Authorizations(ring, shared.clock, self.counts)
        self.clients = Clients()
        self.stats = WorkerStats(shared, self.counts)
        self.ports: dict[str, int] = {}
        self._descriptors = Descriptors()
        self.door = Door(AcceptRate(shared.config.accept_rate_per_second), self._descriptors, self.counts)
        self.admission: Admission[Session] = Admission(
            shared.max_handshakes, shared.queue_timeout, self._turn_away
        )
        self.memory = Memory(shared.config.max_worker_memory_bytes)
        self._sessions: set[Session] = set()
        self.newcomers: Newcomers[Session] = Newcomers(
            min(MAX_NEWCOMERS, self._descriptors.limit // NEWCOMERS_SHARE),
            lambda session: session.finish(),
            lambda session: session.socket.close(),
        )
        place = shared.config.front_place
        self.front = (
            Front(place, self._descriptors.limit // FRONT_SHARE, self.counts, self.spawn) if place else None
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._drained: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # ---- life -----------------------------------------------------------------------------------------

    async def start(self, host: str | None = None, shut: Iterable[str] = ()) -> None:
        """Listen for every configured protocol, unless `shut` has reasons not to.

        Raises OperatorError if a port cannot be had.
        """
        config = self.shared.config
        hosts = (host,) if host is not None else every_address()
        for reason in shut:
            self.door.pause(reason)
        for name, port in config.protocol_ports.items():
            factory = partial(self.accept, tunnel_protocol(name))
            listener = Listener(factory, hosts, port, what=name, keeper=self.door, spawn=self.spawn)
            self.door.listeners.append(listener)
            if not self.door.reasons:
                listener.open()
            self.ports[name] = listener.port
        self.resolver.start()  # importing it takes a moment: better now than at the first look-up
        self.spawn(self.sweep())
        self.spawn(self.stats.lag.watch())
        if config.destination_bytes_period_seconds:
            self.spawn(self.stats.flush(config.destination_bytes_period_seconds))

    async def stop(self, grace: float = 0.0) -> None:
        """Stop listening, give open tunnels `grace` seconds to end by themselves, close the rest."""
        self.door.close()
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
        self.shared.destinations.flush()
        await self.resolver.close()

    def reload(self, shared: Shared) -> None:
        """Serve by this from now on. Progress towards other obfuscated lists than before is lost."""
        changed = shared.osl != self.shared.osl
        self.shared = shared
        self.spawn(self.resolver.renew())
        if changed:
            self.seed_states = SeedStates(shared.osl, shared.clock)
        for session in self._sessions:
            session.reload()
            if changed:
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

    # ---- names ----------------------------------------------------------------------------------------

    def _looked_up(self, outcome: str, seconds: float) -> None:
        """Count a look-up; for which name is nobody's business."""
        self.counts[f"dns.{outcome}"] += 1
        self.counts[f"dns_ms.{outcome}"] += round(1000 * seconds)

    # ---- sessions -------------------------------------------------------------------------------------

    def accept(self, protocol: TunnelProtocol) -> asyncio.BaseProtocol:
        """Begin a session; return the protocol for its connection."""
        session = Session(self, protocol)
        self._sessions.add(session)
        self.stats.accepted(session)
        if self.newcomers.add(session):
            self.counts["rejected.newcomers"] += 1
        return session.socket

    def admit(self, session: Session, proceed: Callable[[], None]) -> bool:
        """Give a handshake its turn now, or when there is one (tunnel spec §4)."""
        return self.admission.admit(session, proceed)

    def _turn_away(self, session: Session, reason: str) -> None:
        self.counts[f"rejected.{reason}"] += 1
        session.finish()

    def released(self, session: Session) -> None:
        """A handshake is over: let the next one begin."""
        self.admission.leave(session)

    def logged_in(self, session: Session) -> None:
        """A handshake is over, and its connection is a client's."""
        self.newcomers.discard(session)
        self.admission.leave(session)

    def ended(self, session: Session) -> None:
        """A session's connection is gone."""
        self._sessions.discard(session)
        self.newcomers.discard(session)
        self.admission.leave(session)
        if self._drained is not None and not self.tunnels:
            self._drained.set()

    async def sweep(self) -> None:
        """Look now and then for what is idle, without an end."""
        while True:
            await asyncio.sleep(SWEEP)
            for session in list(self._sessions):
                try:
                    session.sweep(SWEEP, SILENCE)
                except Exception:  # whatever is wrong with one, the others are to be looked after
                    _log.exception("a session cannot be looked after")
                    session.socket.abort()
            if self.front is not None:
                self.front.sweep(asyncio.get_running_loop().time())
            self._look_at_memory()
            self.door.look()

    def _look_at_memory(self) -> None:
        """Close who holds too much, and take no new tunnels while there is little left."""
        held = [(session, session.buffered) for session in self._sessions]
        most = self.shared.config.max_tunnel_memory_bytes
        excess = self.memory.look()
        greedy = {session: "tunnel_memory" for session, size in held if most and size > most}
        greedy |= dict.fromkeys(hoarders(held, excess), "worker_memory")
        for session, reason in greedy.items():
            self.counts[f"closed.{reason}"] += 1
            session.socket.abort()  # it does not read: a goodbye would only be more of the same
        if self.memory.short:
            self.door.pause("memory")
        else:
            self.door.resume("memory")

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent to clients and destinations."""
        return sum(session.buffered for session in self._sessions)
