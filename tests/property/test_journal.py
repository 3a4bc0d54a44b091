"""Whatever happens to an establishment, its journal stays bounded, countable and readable."""

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.establishment.test_journal import attempt

from headrace.establishment import journal as module
from headrace.establishment.journal import Journal, Outcome, Record
from headrace.establishment.stages import Stage

LIMIT = 5
steps = st.lists(
    st.tuples(
        st.integers(1, 8),
        st.none() | st.sampled_from(Outcome),
        st.sampled_from(Stage),
        st.floats(-1e6, 1e6),
        st.text(max_size=500),
    ),
    max_size=60,
)


@given(steps, st.floats(-1e6, 1e6))
def test_every_attempt_is_told_or_counted(
    steps: list[tuple[int, Outcome | None, Stage, float, str]], now: float
) -> None:
    journal = Journal()
    journal.begin(0.0, 0.0)
    under_way: set[int] = set()
    ended = 0
    with patch.object(module, "MAX_TRIALS", LIMIT):
        for number, outcome, stage, when, reason in steps:
            if outcome is None:
                journal.started(attempt(number), when, lambda stage=stage: stage)  # type: ignore[misc]
                under_way.add(number)
            else:
                journal.ended(attempt(number), when, stage, outcome, reason)
                under_way.discard(number)
                ended += 1
    record = journal.record(now)
    assert record is not None
    assert len(record.trials) <= LIMIT + len(under_way)
    assert sum(trial.outcome is None for trial in record.trials) == len(under_way)
    assert len(record.trials) + sum(record.earlier.values()) == ended + len(under_way)
    assert all(trial.began >= 0 and trial.took >= 0 for trial in record.trials)
    assert Record.from_json(record.to_json()) == record
