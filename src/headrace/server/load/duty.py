"""The load limiter at work: beside the workers, it looks at the machine and opens and shuts their doors."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from headrace.documents.load_limits import LoadLimits
from headrace.server.load.limiter import PERIOD, LoadLimiter
from headrace.server.load.readings import Machine

if TYPE_CHECKING:
    from headrace.server.service import Service

__all__ = ["load_duty"]

#: Seconds over which the system averages the load: before they are over it is not the load of this server.
AVERAGED: Final = 60.0


def load_duty(
    limits: LoadLimits, machine: Machine | None = None
) -> "Callable[[Service], Coroutine[Any, Any, None]]":
    """Return the duty that holds a server to its limits. What an operator orders stays in force beside it."""
    limiter, machine = LoadLimiter(limits), machine or Machine()

    async def hold_to_limits(service: "Service") -> None:
        loop, supervisor = asyncio.get_running_loop(), service.supervisor
        begun = loop.time()
        try:
            while True:
                figures = await supervisor.snapshot()
                before = limiter.reasons
                readings = machine.read(now := loop.time())
                if now - begun < AVERAGED:
                    readings = replace(readings, load_per_core=None)
                reasons = limiter.judge(readings, tunnels=figures.established, connecting=figures.dialing)
                for reason in sorted(reasons - before):
                    supervisor.pause(reason)
                for reason in sorted(before - reasons):
                    supervisor.resume(reason)
                await asyncio.sleep(PERIOD)
        finally:  # should it ever fail, nobody else would take its orders back
            for reason in sorted(limiter.reasons):
                supervisor.resume(reason)

    return hold_to_limits
