"""Names that say nothing have their forms, and are not drawn twice."""

import re

from headrace.base.rng import SeededRng
from headrace.network.book.identifiers import bucket_id, object_id, pseudonym, public_id, unused


def test_the_forms() -> None:
    rng = SeededRng(1)
    for _ in range(200):
        assert re.fullmatch(r"[0-9A-F]{16}", public_id(rng))
        assert re.fullmatch(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", pseudonym(rng))
        assert re.fullmatch(r"[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}", bucket_id(rng))
        assert object_id(rng).version == 4


def test_pseudonyms_are_enough_for_a_large_network() -> None:
    rng = SeededRng(2)
    assert len({pseudonym(rng) for _ in range(20_000)}) > 19_990


def test_what_is_in_use_is_drawn_again() -> None:
    first = public_id(SeededRng(3))
    assert unused(public_id, {first}, SeededRng(3)) != first
