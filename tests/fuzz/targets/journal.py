"""The journal of an establishment, as it is found on a disk.

Invariant: it is refused with DocumentError, or read, written and read again as the same; and it can be shown.
"""

from headrace.base.errors import DocumentError
from headrace.cli.explanation import conclusion, headline, hints, table
from headrace.establishment.journal import Outcome, Record, Trial

TRIAL = Trial(
    number=1,
    server="abcdefgh",
    region="NL",
    protocol="OSSH",
    began=0.5,
    took=1.5,
    reached="heard",
    outcome=Outcome.FAILED,
    reason="reset",
)
SEEDS = [
    Record(begun=1.7e9, seconds=2.5).to_json(),
    Record(begun=1.7e9, seconds=2.5, trials=[TRIAL], earlier={Outcome.KEPT: 1}, finished=True).to_json(),
]


def fuzz(data: bytes) -> None:
    try:
        record = Record.from_json(data)
    except DocumentError:
        return
    assert Record.from_json(record.to_json()) == record
    headline(record)
    table(record.trials)
    conclusion(record)
    hints(record)
