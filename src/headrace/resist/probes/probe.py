"""One probe, and what came of it."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Ending", "Probe", "ProbeResult", "Then"]


class Then(StrEnum):
    """What the prober does when everything is sent."""

    STAY = "stay"  #: read until the server closes
    HALF_CLOSE = "half-close"  #: send FIN, and read on
    RESET = "reset"  #: send RST
    SMALL_WINDOW = "smallest window"  #: leave the server no room to send anything


class Ending(StrEnum):
    """How the server ended the connection."""

    FIN = "fin"
    RST = "rst"
    NONE = "none"  #: not at all, or not while anybody looked


@dataclass(frozen=True, slots=True)
class Probe:
    """What one stranger does. `kind` is P1 to P8, `name` tells its like apart from others of the kind.

    The pieces are sent `interval` seconds apart; with `urgent` the last byte is. `source` is the address it
    comes from, where that matters. Who `knows` the key can be answered without giving anything away.
    """

    kind: str
    name: str
    pieces: tuple[bytes, ...] = ()
    interval: float = 0.0
    then: Then = Then.STAY
    urgent: bool = False
    source: str = ""
    knows: bool = False

    @property
    def size(self) -> int:
        """How many bytes it sends."""
        return sum(map(len, self.pieces))


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What came of a probe: bytes that the server sent, how it ended it, and when, in seconds from accept."""

    probe: Probe
    bytes_received: int
    ending: Ending
    seconds: float

    @property
    def kind(self) -> str:
        return self.probe.kind
