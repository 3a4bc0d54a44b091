"""Server entries in random order, drawn one by one: uniformly shuffled, yet nobody lists them all.

Each draw is one step of a Fisher-Yates shuffle over the range of ids, which holds only what was swapped so
far. A draw that meets nobody (an entry is gone, or of another region) is repeated. After many such draws
in a row the ids that remain are listed after all, and the same shuffle goes on over the list: what remains
is as good as shuffled either way, so the order is uniform as a whole.
"""

from collections.abc import Callable

from headrace.base.rng import Rng

__all__ = ["RandomWalk", "Shuffle"]

_MISSES = 500  # in a row: some milliseconds of them


class Shuffle:
    """The numbers from 0 to `count` - 1, each once, uniformly shuffled, in memory for those drawn."""

    def __init__(self, count: int, rng: Rng) -> None:
        self._left = count
        self._rng = rng
        self._swapped: dict[int, int] = {}

    def draw(self) -> int | None:
        """Return the next number; None after the last."""
        if not self._left:
            return None
        self._left -= 1
        last = self._swapped.pop(self._left, self._left)
        place = self._rng.between(0, self._left)
        if place == self._left:
            return last
        drawn = self._swapped.get(place, place)
        self._swapped[place] = last
        return drawn


class RandomWalk:
    """Draws addresses.

    `limit` is the highest id, `look` returns the address behind an id or None, `remaining` lists the ids that
    would be found.
    """

    def __init__(
        self,
        limit: int,
        rng: Rng,
        look: Callable[[int], str | None],
        remaining: Callable[[], list[int]],
    ) -> None:
        self._shuffle = Shuffle(limit, rng)
        self._rng = rng
        self._look = look
        self._remaining = remaining
        self._ids: list[int] | None = None
        self._found: set[int] = set()

    def next_address(self) -> str | None:
        """Return the next address; None after the last."""
        misses = 0
        while (number := self._shuffle.draw()) is not None:
            identity = number + 1 if self._ids is None else self._ids[number]
            if (address := self._look(identity)) is not None:
                self._found.add(identity)
                return address
            misses += 1
            if misses == _MISSES and self._ids is None:
                self._ids = [identity for identity in self._remaining() if identity not in self._found]
                self._shuffle = Shuffle(len(self._ids), self._rng)
        return None
