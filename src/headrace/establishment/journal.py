"""What became of each attempt of the last establishment: for a person who asks why there is no tunnel.

    begin ──► started ──► ended     (once for each attempt)
      └────► finished               (a tunnel, or no more patience)

An attempt is known by its candidate number. Nothing in here tells where a server is: a record can be shown,
kept and handed on.
"""

import enum
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from headrace.base.errors import DocumentError
from headrace.base.redact import scrub_addresses
from headrace.establishment.stages import Stage

if TYPE_CHECKING:  # who only reads a record need not load what dialling takes
    from headrace.establishment.dial_parameters import DialParameters

__all__ = ["MAX_TRIALS", "Journal", "Outcome", "Record", "Trial"]

MAX_TRIALS: Final = 1000
"""Attempts remembered one by one, the newest; of older ones it is counted how they ended."""

_VERSION: Final = 1
_MAX_REASON = 300  # characters
_MAX_DOCUMENT = 4 << 20  # bytes


#: What a clock shows, or a time it takes; more would be no date.
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=2e11)]


class Outcome(enum.Enum):
    """How an attempt ended."""

    KEPT = "kept"  #: it became a tunnel in use
    DISCARDED = "discarded"  #: it would have, but another was faster
    FAILED = "failed"
    CANCELLED = "cancelled"  #: it was under way when it was no longer wanted
    SKIPPED = "skipped"  #: it was not begun at all


class Trial(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One attempt. `outcome` None means that it was under way when the record was made."""

    number: int  #: of the candidate, from 1
    server: str  #: diagnostic ID
    region: str
    protocol: str
    prefix: str = ""  #: name of its spec
    is_replay: bool = False
    head_start: bool = False
    began: _Seconds  #: seconds after the establishment did
    took: _Seconds  #: seconds; so far, if it is under way
    reached: str  #: name of a Stage in lower case
    outcome: Outcome | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.reached.upper() not in Stage.__members__:
            raise ValueError(f"there is no stage {self.reached[:20]!r}")

    @property
    def stage(self) -> Stage:
        return Stage[self.reached.upper()]


class Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An establishment as it stood at one moment, oldest attempt first."""

    version: int = _VERSION
    begun: _Seconds  #: seconds since 1970-01-01 UTC
    seconds: _Seconds  #: it lasted, or has lasted so far
    finished: bool = False
    connected: bool = False  #: it led to a tunnel
    reason: str = ""  #: why it ended without one
    trials: list[Trial] = []
    earlier: dict[Outcome, int] = {}  #: attempts that are not in `trials`, by how they ended

    def to_json(self) -> bytes:
        """Return the record as JSON, in one line."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> "Record":
        """Read what `to_json` wrote. Raises DocumentError."""
        if len(data) > _MAX_DOCUMENT:
            raise DocumentError("the journal is too large to be one")
        try:
            record = msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise DocumentError(f"the journal is damaged: {error}") from error
        if record.version != _VERSION:
            raise DocumentError("the journal was written by another version of the program")
        return record


@dataclass(frozen=True, slots=True)
class _UnderWay:
    attempt: "DialParameters"
    began: float
    stage: Callable[[], Stage]


class Journal:
    """Takes notes. `now` is in seconds of any clock that moves forward only, the same for all calls."""

    def __init__(self) -> None:
        self.revision = 0  #: grows with everything noted
        self._begun = self._begun_wall = 0.0
        self._ended: float | None = None
        self._connected = False
        self._reason = ""
        self._under_way: dict[int, _UnderWay] = {}
        self._trials: deque[Trial] = deque()
        self._earlier: Counter[Outcome] = Counter()

    def begin(self, now: float, wall: float) -> None:
        """An establishment begins; the one before is forgotten. `wall` is the date, in seconds since 1970."""
        self.revision += 1
        self._begun, self._begun_wall = now, max(0.0, wall)
        self._ended, self._connected, self._reason = None, False, ""
        self._under_way.clear()
        self._trials.clear()
        self._earlier.clear()

    def started(
        self, attempt: "DialParameters", now: float, stage: Callable[[], Stage] = lambda: Stage.DIALLING
    ) -> None:
        """An attempt begins; `stage` says how far it has come whenever it is asked."""
        self.revision += 1
        self._under_way[attempt.candidate_number] = _UnderWay(attempt, now, stage)

    def ended(
        self, attempt: "DialParameters", now: float, stage: Stage, outcome: Outcome, reason: str = ""
    ) -> None:
        """An attempt has ended, having reached `stage`. One that was skipped need not have been started."""
        self.revision += 1
        begun = self._under_way.pop(attempt.candidate_number, None)
        began = begun.began if begun is not None else now
        self._trials.append(self._trial(attempt, began, now, stage, outcome, reason))
        if len(self._trials) > MAX_TRIALS:
            oldest = self._trials.popleft().outcome
            assert oldest is not None
            self._earlier[oldest] += 1

    def finished(self, now: float, *, connected: bool, reason: str = "") -> None:
        """The establishment is over; `reason` says why, if it led to no tunnel."""
        self.revision += 1
        self._ended, self._connected, self._reason = now, connected, _told(reason)

    def record(self, now: float) -> Record | None:
        """Return what is known at the moment, None before any establishment began."""
        if not self.revision:
            return None
        under_way = [
            self._trial(each.attempt, each.began, now, each.stage(), None)
            for each in self._under_way.values()
        ]
        return Record(
            begun=self._begun_wall,
            seconds=round(max(0.0, (now if self._ended is None else self._ended) - self._begun), 3),
            finished=self._ended is not None,
            connected=self._connected,
            reason=self._reason,
            trials=sorted([*self._trials, *under_way], key=lambda trial: (trial.began, trial.number)),
            earlier={outcome: count for outcome, count in self._earlier.items() if count},
        )

    def _trial(
        self,
        attempt: "DialParameters",
        began: float,
        now: float,
        stage: Stage,
        outcome: Outcome | None,
        reason: str = "",
    ) -> Trial:
        return Trial(
            number=attempt.candidate_number,
            server=attempt.diagnostic_id,
            region=attempt.entry.region,
            protocol=attempt.protocol,
            prefix=attempt.prefix.name if attempt.prefix is not None else "",
            is_replay=attempt.is_replay,
            head_start=attempt.head_start,
            began=round(max(0.0, began - self._begun), 3),
            took=round(max(0.0, now - began), 3),
            reached=stage.name.lower(),
            outcome=outcome,
            reason=_told(reason),
        )


def _told(reason: str) -> str:
    """Return a reason in one line, without addresses."""
    return scrub_addresses(" ".join(reason.split()))[:_MAX_REASON]
