"""The client's end of a liveness test (tunnel spec §6)."""

from collections.abc import Callable

from headrace.base.rng import Rng
from headrace.ssh.liveness import LivenessRequest, RandomExchange

__all__ = ["LivenessClient"]


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
