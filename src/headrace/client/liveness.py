"""The client's end of a liveness test (tunnel spec §6).

It catches censors who let a handshake through and then freeze what follows.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from headrace.base.errors import NetworkError
from headrace.base.rng import Rng
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.forwarding import LIVENESS
from headrace.ssh.liveness import LivenessRequest, RandomExchange

__all__ = ["LivenessClient", "LivenessFailed", "LivenessResult", "run_liveness"]


class Carrier(Protocol):
    """A tunnel."""

    def open_channel(self, kind: bytes, extra: bytes, endpoint: Endpoint) -> Channel: ...


@dataclass(frozen=True, slots=True)
class LivenessResult:
    """How many bytes went each way, and in how many seconds."""

    sent: int
    received: int
    duration: float


class LivenessFailed(NetworkError):
    """Not everything went through; `result` says how much did."""

    def __init__(self, result: LivenessResult) -> None:
        super().__init__("the liveness test failed")
        self.result = result


class LivenessClient(RandomExchange):
    """Sends what goes up and takes what comes down.

    `finished` is told once whether all of it went through; `sent` and `received` say how much did.
    """

    def __init__(self, request: LivenessRequest, rng: Rng, finished: Callable[[bool], None]) -> None:
        super().__init__(send=request.up, expect=request.down, rng=rng)
        self._wanted = request.down
        self._finished = finished

    def refused(self, reason: int, text: str) -> None:
        self._finished(False)

    def closed(self, error: Exception | None) -> None:
        super().closed(error)
        self._finished(self.complete and self.received >= self._wanted)


async def run_liveness(tunnel: Carrier, request: LivenessRequest, rng: Rng) -> LivenessResult:
    """Do the test on a tunnel that is logged in; the caller bounds the time.

    Raises LivenessFailed, or another NetworkError if the tunnel is gone already.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bool] = loop.create_future()

    def finished(success: bool) -> None:
        if not done.done():
            done.set_result(success)

    begun = loop.time()
    client = LivenessClient(request, rng, finished)
    tunnel.open_channel(LIVENESS, request.encode(), client)
    success = await done
    result = LivenessResult(client.sent, client.received, loop.time() - begun)
    if not success:
        raise LivenessFailed(result)
    return result
