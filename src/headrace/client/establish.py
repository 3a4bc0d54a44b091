"""Establishment: dial many candidates at once, keep the first that completes its handshake."""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Final, Protocol

from headrace.base.errors import HeadraceError
from headrace.client.tunnel import Tunnel
from headrace.codec.handshake_response import HandshakeResponse
from headrace.establishment.dial_parameters import DialParameters

__all__ = ["Attempts", "Establishment"]

#: How many dials run at once, unless configured.
WORKERS: Final = 10
#: How many more run when they are for servers that were not known when the race began.
SPARE: Final = 5
#: Seconds for which an attempt with a head start is alone, unless configured.
GRACE: Final = 1.0

Outcome = tuple[Tunnel, HandshakeResponse]


class Attempts(Protocol):
    """What to try, in order."""

    arrived: asyncio.Event  #: set when there is more to try than was thought

    def take(self, *, newcomers: bool = False) -> DialParameters | None:
        """Return the next attempt, None if there is none for now; `newcomers` leaves out who was known."""
        ...


class Establishment:
    """Races. `make` builds a tunnel for an attempt; `failed` hears why an attempt came to nothing.

    At most `workers` attempts run at once, and a few more for servers learned of meanwhile; `stagger` seconds
    pass between the starts of any two. An attempt with a head start is followed by others once it failed, or
    after `grace` seconds.
    """

    def __init__(
        self,
        make: Callable[[DialParameters], Tunnel],
        *,
        handshake: bool = True,
        workers: int = WORKERS,
        stagger: float = 0.0,
        grace: float = GRACE,
        started: Callable[[DialParameters], None] = lambda attempt: None,
        failed: Callable[[DialParameters, HeadraceError], None] = lambda attempt, error: None,
    ) -> None:
        self._make = make
        self._handshake = handshake
        self._workers = workers
        self._stagger = stagger
        self._grace = grace
        self._started = started
        self._failed = failed
        self._made: set[Tunnel] = set()  # tunnels of the race that is on, but for those that failed
        self._turn = asyncio.Lock()  # starts are staggered one after the other
        self._ahead: tuple[asyncio.Task[Any], float] | None = (
            None  # who has a head start, until which loop time
        )
        self._begun = False

    async def race(self, attempts: Attempts) -> Outcome | None:
        """Return the first tunnel that is ready for use, or None when every attempt failed.

        The losers are closed before this returns; so is everything if it is cancelled.
        """
        kept: Tunnel | None = None
        try:
            winner = await self._first(attempts)
            kept = winner[0] if winner is not None else None
            return winner
        finally:  # without waiting for anything: a cancellation meanwhile would leave the winner to nobody
            for tunnel in self._made - {kept}:
                tunnel.abort()  # also one that was through before the cancellation reached it
            self._made.clear()

    async def _first(self, attempts: Attempts) -> Outcome | None:
        """Return the first outcome, None if there is none; no attempt is under way any more."""
        running: set[asyncio.Task[Outcome | None]] = set()
        news = asyncio.create_task(_renewed(attempts.arrived))
        winner: Outcome | None = None
        try:
            while winner is None:
                while (attempt := self._next(attempts, len(running))) is not None:
                    running.add(asyncio.create_task(self._attempt(attempt)))
                if not running and not attempts.arrived.is_set():
                    break
                await asyncio.wait((*running, news), return_when=asyncio.FIRST_COMPLETED)
                if news.done():
                    news = asyncio.create_task(_renewed(attempts.arrived))
                done = {task for task in running if task.done()}
                running -= done
                winner = next(filter(None, (task.result() for task in done)), None)
            return winner
        finally:
            await _cancel({*running, news})

    def _next(self, attempts: Attempts, running: int) -> DialParameters | None:
        """Return what to begin next, if there is a worker for it."""
        if running < self._workers:
            return attempts.take()
        # With everybody known hanging, whoever was just learned of need not wait for them to time out.
        return attempts.take(newcomers=True) if running < self._workers + SPARE else None

    async def _attempt(self, attempt: DialParameters) -> Outcome | None:
        async with self._turn:
            await self._wait_for_start()
            if attempt.head_start and (task := asyncio.current_task()):
                self._ahead = task, asyncio.get_running_loop().time() + self._grace
        self._started(attempt)
        tunnel = self._make(attempt)
        self._made.add(tunnel)
        try:
            await tunnel.connect()
            return tunnel, (await tunnel.handshake() if self._handshake else HandshakeResponse())
        except HeadraceError as error:
            tunnel.abort()
            self._made.discard(tunnel)
            self._failed(attempt, error)
            return None

    async def _wait_for_start(self) -> None:
        if self._ahead is not None:
            task, until = self._ahead
            await asyncio.wait((task,), timeout=until - asyncio.get_running_loop().time())
            self._ahead = None
        if self._begun:
            await asyncio.sleep(self._stagger)
        self._begun = True


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for their ends."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _renewed(event: asyncio.Event) -> None:
    """Wait for the event, and have it ready for the next time."""
    await event.wait()
    event.clear()
