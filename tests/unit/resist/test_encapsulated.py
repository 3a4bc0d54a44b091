"""F5: four bursts that look like a TLS handshake, at the beginning of a flow or inside it."""

import random

import numpy as np
import pytest

from headrace.resist.encapsulated import (
    FAR,
    FIRST_SEGMENTS,
    PUBLISHED,
    SSH_ADDS,
    compare,
    fit_models,
    nearness,
    windows,
)
from headrace.resist.shapes import on_ethernet

CHANCE = random.Random(1)


def handshake(kind: str, more: int = 0) -> list[int]:
    """A direct handshake's sizes, spread about the published means; `more` is what a tunnel adds to each."""
    mean = PUBLISHED[kind].mean
    there, back, again, answer = (round(CHANCE.gauss(size, size / 10)) + more for size in mean)
    return on_ethernet([there, -back, again, -answer])


MODELS = fit_models({kind: [handshake(kind) for _ in range(200)] for kind in PUBLISHED})

KNOWING = fit_models({kind: [handshake(kind) for _ in range(200)] for kind in PUBLISHED}, SSH_ADDS)


def flow(*parts: list[int]) -> list[int]:
    return [size for part in parts for size in part]


def other() -> list[int]:
    """Requests and answers of any sizes."""
    sizes = (CHANCE.randint(20, 3000) * (1, -1)[i % 2] for i in range(CHANCE.randint(4, 30)))
    return on_ethernet(sizes)


def test_windows_begin_with_the_client_and_are_four_bursts() -> None:
    found = windows([1, -2, 3, -4, 5, -6])
    assert found.tolist() == [[1, 2, 3, 4], [3, 4, 5, 6]]
    assert windows([-2, 3, -4, 5]).shape == (0, 4)


def test_a_first_burst_of_four_segments_is_no_hello() -> None:
    assert windows([1, 1, 1, 1, -2, 3, -4, 5, -6]).tolist() == [[3, 4, 5, 6]]


def test_only_the_first_segments_are_looked_at_if_so_told() -> None:
    assert len(windows([1, -2, 3, -4, 5, -6], 4)) == 1


@pytest.mark.parametrize("kind", PUBLISHED)
def test_direct_handshakes_are_near(kind: str) -> None:
    near = nearness([handshake(kind) for _ in range(100)], MODELS, FIRST_SEGMENTS)
    assert np.mean(near < 1) > 0.8


@pytest.mark.parametrize("kind", PUBLISHED)
def test_a_handshake_in_a_plain_tunnel_is_found_late_in_the_flow(kind: str) -> None:
    before = [100, -100] * 20
    flows = [flow(before, handshake(kind, SSH_ADDS), before) for _ in range(100)]
    assert np.mean(nearness(flows, KNOWING) < 1) > 0.8
    assert (nearness(flows, KNOWING, FIRST_SEGMENTS) > 1).all()


def test_a_small_first_burst_is_no_hello_of_tls_13() -> None:
    small = [500, *handshake("TLS 1.3")[1:]]
    kinds = {"TLS 1.3": [handshake("TLS 1.3") for _ in range(200)]}
    assert nearness([small], fit_models(kinds))[0] == FAR


def test_flows_without_four_bursts_are_far() -> None:
    assert nearness([[], [100, -100]], MODELS).tolist() == [FAR, FAR]


def test_comparison_tells_what_is_caught_at_one_false_alarm_in_a_thousand() -> None:
    tunnelled = nearness([flow([50, -50], handshake("TLS 1.2", SSH_ADDS)) for _ in range(200)], MODELS)
    others = nearness([other() for _ in range(2000)], MODELS)
    found = compare(tunnelled, others)
    assert found.auc > 0.9
    assert found.flagged > found.falsely
    assert 0 <= found.caught <= found.auc
    same = compare(others[:1000], others[1000:])
    assert 0.45 < same.auc < 0.55
