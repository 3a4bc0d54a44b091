"""The table of a run's phases: every one can be reached, and every one can be stopped."""

from headrace.client.phases import TRANSITIONS, Phase, Turn


def test_every_phase_and_turn_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(Phase)
    assert {turn for ways in TRANSITIONS.values() for turn in ways} == set(Turn)


def test_every_phase_before_the_last_two_can_be_stopped() -> None:
    for phase in set(Phase) - {Phase.STOPPING, Phase.ENDED}:
        assert TRANSITIONS[phase][Turn.STOP] is Phase.STOPPING


def test_every_phase_can_be_reached() -> None:
    reached = {Phase.STARTING}
    while more := {phase for known in reached for phase in TRANSITIONS[known].values()} - reached:
        reached |= more
    assert reached == set(Phase)
