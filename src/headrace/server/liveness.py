"""The server's end of a liveness test (tunnel spec §6)."""

from headrace.base.rng import Rng
from headrace.ssh.liveness import LivenessRequest, RandomExchange, parse_liveness

__all__ = ["LivenessEndpoint", "parse_liveness"]


class LivenessEndpoint(RandomExchange):
    """Swallows what goes up, sends what goes down, then closes."""

    def __init__(self, request: LivenessRequest, rng: Rng) -> None:
        super().__init__(send=request.down, expect=request.up, rng=rng)
