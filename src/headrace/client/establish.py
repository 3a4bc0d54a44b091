"""Establishment: dial many candidates at once, keep the first that completes its handshake."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from headrace.base.errors import DocumentError, HeadraceError
from headrace.base.rng import Rng
from headrace.client.dial_parameters import DialParameters, choose
from headrace.client.tunnel import Tunnel
from headrace.codec.handshake_response import HandshakeResponse
from headrace.documents.server_entry import ServerEntry
from headrace.transports import TUNNEL_PROTOCOLS

__all__ = ["Establishment", "candidates"]

#: How many dials run at once, and the pause before everything is tried again, unless configured.
WORKERS: Final = 10
PAUSE: Final = 5.0

Outcome = tuple[Tunnel, HandshakeResponse]


def candidates(
    entries: Sequence[ServerEntry],
    limit: Sequence[str],
    rng: Rng,
    skip: Callable[[str], None],
    affinity: str = "",
) -> list[DialParameters]:
    """Return one attempt per entry, in random order, the entry with the tag `affinity` first.

    `skip` hears why an entry cannot be dialled.
    """
    result: list[DialParameters] = []
    ordered = sorted(rng.shuffled(entries), key=lambda entry: entry.effective_tag != affinity)
    for entry in ordered:
        usable = [name for name in entry.supported_protocols(limit) if name in TUNNEL_PROTOCOLS]
        if not usable:
            skip("the server supports no tunnel protocol that is allowed and known here")
            continue
        try:
            result.append(choose(entry, rng.choice(usable), rng, candidate_number=len(result)))
        except DocumentError as error:
            skip(str(error))
    return result


class Establishment:
    """One race. `make` builds a tunnel for an attempt; `failed` hears why an attempt did not win."""

    def __init__(
        self,
        make: Callable[[DialParameters], Tunnel],
        *,
        handshake: bool = True,
        workers: int = WORKERS,
        stagger: float = 0.0,
        started: Callable[[DialParameters], None] = lambda attempt: None,
        failed: Callable[[DialParameters, HeadraceError], None] = lambda attempt, error: None,
    ) -> None:
        self._make = make
        self._handshake = handshake
        self._workers = workers
        self._stagger = stagger
        self._started = started
        self._failed = failed

    async def race(self, attempts: Iterable[DialParameters]) -> Outcome | None:
        """Return the first tunnel that is ready for use, or None when every attempt failed.

        The losers are closed before this returns; so is everything if it is cancelled.
        """
        waiting = iter(attempts)
        running: set[asyncio.Task[Outcome | None]] = set()
        winner: Outcome | None = None
        try:
            while winner is None:
                while len(running) < self._workers and (attempt := next(waiting, None)) is not None:
                    running.add(asyncio.create_task(self._attempt(attempt)))
                    if self._stagger:
                        break
                if not running:
                    break
                timeout = self._stagger if self._stagger and len(running) < self._workers else None
                done, running = await asyncio.wait(
                    running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                )
                for outcome in filter(None, (task.result() for task in done)):
                    if winner is None:
                        winner = outcome
                    else:
                        outcome[0].abort()
            return winner
        finally:
            for task in running:
                task.cancel()
            for late in await asyncio.gather(*running, return_exceptions=True):
                if isinstance(late, tuple):  # it was through before the cancellation reached it
                    late[0].abort()

    async def _attempt(self, attempt: DialParameters) -> Outcome | None:
        self._started(attempt)
        tunnel = self._make(attempt)
        try:
            await tunnel.connect()
            return tunnel, (await tunnel.handshake() if self._handshake else HandshakeResponse())
        except HeadraceError as error:
            tunnel.abort()
            self._failed(attempt, error)
            return None
        except asyncio.CancelledError:
            tunnel.abort()
            raise
