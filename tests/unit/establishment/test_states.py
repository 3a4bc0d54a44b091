"""The table of an establishment's states: every one can be reached and left, but for the endings."""

from headrace.establishment.states import ENDINGS, TRANSITIONS, Happening, State


def test_every_state_is_in_the_table_and_every_happening_of_use() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {happening for ways in TRANSITIONS.values() for happening in ways} == set(Happening)


def test_every_state_can_be_reached() -> None:
    reached = {State.IDLE}
    while more := {state for known in reached for state in TRANSITIONS[known].values()} - reached:
        reached |= more
    assert reached == set(State)


def test_from_every_state_there_is_a_way_to_a_tunnel_or_it_is_an_ending() -> None:
    assert ENDINGS == {State.FULL, State.GAVE_UP, State.ABANDONED}
    for state in set(State) - ENDINGS:
        seen = {state}
        while more := {after for before in seen for after in TRANSITIONS[before].values()} - seen:
            seen |= more
        assert State.FULL in seen, state
