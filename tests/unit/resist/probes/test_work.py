"""What a stranger costs: figures from known times, and a measurement that has every class."""

import pytest

from headrace.base.rng import SeededRng
from headrace.resist.probes.recording import Client
from headrace.resist.probes.work import Work, forgeries, genuine, work


def test_the_dearest_class_counts() -> None:
    spent = Work(client=[2.0, 4.0], probes={"P1": [1.0, 1.0], "P2": [4.0, 8.0]}, accepted=2, mistaken=0)
    assert spent.accept == 3
    assert spent.ratio == 2


def test_the_spread_is_between_the_slowest_percentiles() -> None:
    slow = [*[1.0] * 90, *[5.0] * 10]
    assert Work(client=[1.0], probes={"P1": [1.0] * 100, "P2": slow}, accepted=1, mistaken=0).spread == 4


def test_every_class_that_is_refused_is_measured() -> None:
    spent = work(20, SeededRng(1))
    assert list(spent.probes) == ["P1", "P2", "P3", "P5", "P6"]
    assert {len(times) for times in (spent.client, *spent.probes.values())} == {20}
    assert all(times == sorted(times) for times in spent.probes.values())
    assert spent.accept > 0
    assert (spent.accepted, spent.mistaken) == (20, 0)


@pytest.mark.parametrize("count", [0, 30])
def test_forgeries_are_not_accepted_and_what_is_genuine_is(count: int) -> None:
    assert forgeries(count, SeededRng(2)) == 0
    assert genuine(count, SeededRng(2)) == count


def test_a_right_magic_is_a_forgery_whatever_is_behind_it() -> None:
    """A probe of 24 bytes has no padding, so that it is never accepted: that says nothing of its magic."""
    client = Client(bytes.fromhex("00" * 32).hex().encode())
    head = client.record(SeededRng(1), prefixed=False).data[:24]

    class Lucky(SeededRng):
        def bytes(self, size: int) -> bytes:
            return {24: head, 32: bytes(32)}.get(size) or super().bytes(size)

    assert forgeries(2, Lucky(1)) == 1
