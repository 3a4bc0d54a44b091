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
from headrace.obfuscation.preamble import MAX_PADDING, MIN_CLIENT_PADDING
from headrace.obfuscation.prefix import PrefixSpecs
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
    region: str = "",
    *,
    prefixes: PrefixSpecs | None = None,
    padding: tuple[int, int] = (MIN_CLIENT_PADDING, MAX_PADDING),
) -> list[DialParameters]:
    """Return one attempt per entry, in random order, the entry with the tag `affinity` first.

    With a `region`, only servers whose traffic leaves there count. `skip` hears why an entry is left out.
    """
    result: list[DialParameters] = []
    ordered = sorted(rng.shuffled(entries), key=lambda entry: entry.effective_tag != affinity)
    for entry in ordered:
        if region and entry.region != region:
            continue
        usable = [name for name in entry.supported_protocols(limit) if name in TUNNEL_PROTOCOLS]
        if not usable:
            skip("the server supports no tunnel protocol that is allowed and known here")
            continue
        try:
            protocol = rng.choice(usable)
            result.append(choose(entry, protocol, rng, len(result), prefixes=prefixes, padding=padding))
        except DocumentError as error:
            skip(str(error))
    return result


class Establishment:
    """Races. `make` builds a tunnel for an attempt; `failed` hears why an attempt came to nothing.

    At most `workers` attempts run at once, and `stagger` seconds pass between the starts of any two.
    """

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
        self._made: set[Tunnel] = set()  # tunnels of the race that is on, but for those that failed
        self._turn = asyncio.Lock()  # starts are staggered one after the other
        self._begun = False

    async def race(self, attempts: Iterable[DialParameters]) -> Outcome | None:
        """Return the first tunnel that is ready for use, or None when every attempt failed.

        The losers are closed before this returns; so is everything if it is cancelled.
        """
        waiting = iter(attempts)
        running: set[asyncio.Task[Outcome | None]] = set()
        winner: Outcome | None = None
        kept: Tunnel | None = None
        try:
            while winner is None:
                while len(running) < self._workers and (attempt := next(waiting, None)) is not None:
                    running.add(asyncio.create_task(self._attempt(attempt)))
                if not running:
                    break
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                winner = next(filter(None, (task.result() for task in done)), None)
            await _cancel(running)
            kept = winner[0] if winner is not None else None
            return winner
        finally:
            for tunnel in self._made - {kept}:
                tunnel.abort()  # also one that was through before the cancellation reached it
            self._made.clear()
            await _cancel(running)

    async def _attempt(self, attempt: DialParameters) -> Outcome | None:
        async with self._turn:
            if self._begun:
                await asyncio.sleep(self._stagger)
            self._begun = True
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


async def _cancel(tasks: set[asyncio.Task[Outcome | None]]) -> None:
    """Cancel tasks and wait for their ends."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
