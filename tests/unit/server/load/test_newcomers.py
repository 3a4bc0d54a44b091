"""Who is not logged in: so many, and the oldest go first."""

from headrace.server.load.newcomers import Newcomers


class Room:
    """Newcomers by number, and who was told to go how."""

    def __init__(self, most: int) -> None:
        self.finished: list[int] = []
        self.closed: list[int] = []
        self.newcomers: Newcomers[int] = Newcomers(most, self.finished.append, self.closed.append)


def test_the_oldest_goes_for_a_new_one() -> None:
    room = Room(3)
    assert [room.newcomers.add(who) for who in range(5)] == [False, False, False, True, True]
    assert room.finished == [0, 1]
    assert room.closed == []
    assert len(room.newcomers) == 5  # those two still hold a descriptor


def test_who_was_told_to_go_and_stays_is_closed_at_last() -> None:
    room = Room(3)
    for who in range(10):
        room.newcomers.add(who)
    assert room.finished == list(range(7))
    assert room.closed == [0, 1, 2, 3]
    assert len(room.newcomers) == 6


def test_who_logs_in_or_leaves_makes_room() -> None:
    room = Room(2)
    room.newcomers.add(1)
    room.newcomers.add(2)
    room.newcomers.discard(1)
    assert not room.newcomers.add(3)
    assert room.newcomers.add(4)
    assert room.finished == [2]
    room.newcomers.discard(2)  # its connection is gone
    room.newcomers.discard(99)
    assert len(room.newcomers) == 2
