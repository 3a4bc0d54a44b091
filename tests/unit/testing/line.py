"""A connection in a censor's hands, without a network: what came out at each end, and when it was struck."""

from headrace.testing.censorship import Ending, Measure, Probe, Way
from headrace.testing.inspection import Finish, Inspection, Script, Send, Strike

__all__ = ["Line", "connect"]


class Line:
    """Says things at one end of an inspection; keeps what comes out at the others."""

    def __init__(self, inspection: Inspection) -> None:
        self.inspection = inspection
        self.out = {way: bytearray() for way in Way}
        self.times: list[tuple[float, int]] = []  #: when how many bytes came out
        self.finished: list[Way] = []
        self.probes: list[Probe] = []
        self.ending: Ending | None = inspection.opening.ending
        self.struck_at = inspection.connection.time if self.ending else -1.0

    def say(self, way: Way, data: bytes, now: float = 0.0) -> "Line":
        self.inspection.receive(way, data)
        return self.look(now)

    def end(self, way: Way, now: float = 0.0) -> "Line":
        self.inspection.finish(way)
        return self.look(now)

    def look(self, now: float) -> "Line":
        """Do what is due now."""
        for action in self.inspection.advance(now):
            match action:
                case Send(way, data):
                    self.out[way] += data
                    self.times.append((now, len(data)))
                case Finish(way):
                    self.finished.append(way)
                case Strike(ending):
                    self.ending, self.struck_at = ending, now
                case Probe():
                    self.probes.append(action)
        return self

    def wait(self, until: float = 1e9) -> "Line":
        """Let time pass, looking whenever there is something to do."""
        while self.ending is None and (wake := self.inspection.wake) is not None and wake <= until:
            self.look(wake)
        return self

    @property
    def struck(self) -> bool:
        return self.ending is not None

    @property
    def up(self) -> bytes:
        return bytes(self.out[Way.UP])

    @property
    def down(self) -> bytes:
        return bytes(self.out[Way.DOWN])


def connect(
    measure: Measure, *, number: int = 0, host: str = "127.0.0.1", port: int = 1, now: float = 0.0
) -> Line:
    """Connect; `number` is the connection's."""
    script = Script(measure)
    for _ in range(number):
        script.open(host, port, now)
    return Line(script.open(host, port, now))
