"""Strangers who speak HTTP hear what a web server says to anybody: the HTTP front (§4, point 5).

All kinds of requests are made twice, to the web server and to a server of ours that leads strangers there. A
hit is an answer that differs in a byte, the time of day aside. The control is a server that leads nobody on.

A web server resets the connection of who goes on sending when it has had enough, and its last answer may be
lost by that. To whom we have led there that need not happen.
"""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Final

from headrace.base.errors import OperatorError
from headrace.base.rng import SeededRng
from headrace.resist.report import Row
from headrace.resist.subjects import running_server
from headrace.resist.visitors import RESET, Visit, draw_visits, make, running_site

__all__ = ["front_row"]

#: Visits to the server without a front, and for how many ms it listens to each.
_CONTROL: Final = 20
_SHORT_LIMIT: Final = 2_000
#: How often the web server is asked again where the answers differ.
_AGAIN: Final = 20
_SERVER: Final = re.compile(rb"\r\nServer: ([^\r\n]*)")


async def front_row(
    directory: Path, count: int, *, seed: int = 1, tell: Callable[[int], None] = lambda done: None
) -> Row:
    """Make `count` visits, with all files in `directory`; `tell` hears how many are made.

    Without nginx the row is "not run". Raises OperatorError if a server of ours does not start.
    """
    site = directory / "site"
    site.mkdir(parents=True)
    async with AsyncExitStack() as stack:
        try:
            web = await stack.enter_async_context(running_site(site))
        except OperatorError as error:
            return _row(0, 0, 0, "", seed, str(error))
        return await _front_row(directory, web, count, seed, tell)


async def _front_row(directory: Path, web: int, count: int, seed: int, tell: Callable[[int], None]) -> Row:
    visits = list(draw_visits(SeededRng(seed), count))
    hits, added, answer = 0, [], b""
    async with running_server(directory / "fronted", HTTPFront=f"127.0.0.1:{web}") as server:
        for number, visit in enumerate(visits, 1):
            answer, directly = await _visit(web, visit)
            heard, led_on = await _visit(server.port, visit)
            hits += not (_same(heard, answer) or await _says(web, visit, heard))
            added.append(led_on - directly)
            tell(number)
    alone = {"SSHHandshakeTimeoutMilliseconds": _SHORT_LIMIT, "IrregularTunnelsPerMinute": 0}
    async with running_server(directory / "alone", **alone) as server:
        few = list(draw_visits(SeededRng(seed), _CONTROL))
        answers = [(await _visit(web, visit))[0] for visit in few]
        silence = await asyncio.gather(*(_visit(server.port, visit) for visit in few))
    caught = sum(heard != answer for (heard, _), answer in zip(silence, answers, strict=True))
    program = _SERVER.search(answer)
    version = program[1].decode() if program else ""
    return _row(count, hits, caught, version, seed, f"median {1e3 * median(added):+.2f} ms")


def _same(heard: bytes, answer: bytes) -> bool:
    return bool(heard) and heard in (answer, answer.removesuffix(RESET))


async def _says(web: int, visit: Visit, heard: bytes) -> bool:
    """Return whether the web server says that as well when it is asked again."""
    for _ in range(_AGAIN):
        if _same(heard, (await _visit(web, visit))[0]):
            return True
    return False


async def _visit(port: int, visit: Visit) -> tuple[bytes, float]:
    """Return what is said to a visitor of a loopback port, and in how many seconds."""
    begun = time.perf_counter()
    said = await make(visit, *await asyncio.open_connection("127.0.0.1", port))
    return said, time.perf_counter() - begun


def _row(count: int, hits: int, caught: int, version: str, seed: int, note: str) -> Row:
    return Row(
        detector="front",
        subject="ours",
        sample=count,
        hits=hits,
        bar="none",
        met=not hits,
        control=f"without a front: {caught} of {_CONTROL} differ",
        control_ok=caught == _CONTROL,
        version=version,
        seed=seed,
        note=note,
    )
