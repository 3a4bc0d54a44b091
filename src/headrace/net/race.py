"""Which of a name's addresses answers first (Happy Eyeballs, RFC 8305).

    IPv4  ├────────────────── given up
    IPv6        ├──── connected
          0   250 ms

Families take turns, and IPv4 begins: every host has it, and it is by its IPv4 address that a server is known.
What fails is followed by the next at once, so a family without a route costs no time.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any, Final, TypeVar

from headrace.base.errors import NetworkError

__all__ = ["STAGGER", "interleave", "race"]

T = TypeVar("T")

#: Seconds that an attempt has to itself before the next one begins beside it (RFC 8305 §5).
STAGGER: Final = 0.25


def interleave(addresses: Iterable[str]) -> list[str]:
    """Return addresses with the families taking turns, IPv4 first (RFC 8305 §4)."""
    families: tuple[list[str], list[str]] = [], []
    for address in addresses:
        families[":" in address].append(address)
    return [address for address in chain.from_iterable(zip_longest(*families)) if address is not None]


async def race(attempts: Sequence[Callable[[], Coroutine[Any, Any, T]]], discard: Callable[[T], object]) -> T:
    """Return what the first attempt to succeed returns; what others come to all the same is for `discard`.

    There must be one. Raises the NetworkError of the last to fail, or at once what else an attempt raises.
    """
    if len(attempts) == 1:
        return await attempts[0]()
    waiting = deque(attempts)
    running: set[asyncio.Task[T]] = set()
    try:
        while True:
            if waiting:
                running.add(asyncio.ensure_future(waiting.popleft()()))
            patience = STAGGER if waiting else None
            done, _ = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                running.discard(task)
                try:
                    return task.result()
                except NetworkError:
                    if not (waiting or running):
                        raise
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(lambda loser: _drop(loser, discard))


def _drop(task: asyncio.Task[T], discard: Callable[[T], object]) -> None:
    """Let go of what an attempt came to that is not needed any more."""
    if not task.cancelled() and task.exception() is None:
        discard(task.result())
