"""An observer that learns finds the handshake in a tunnel by itself."""

import random

import numpy as np

from headrace.resist.encapsulated import PUBLISHED, SSH_ADDS, fit_models
from headrace.resist.handshake_learner import JUDGED, HandshakeLearner, windows_in_context
from headrace.resist.shapes import on_ethernet

CHANCE = random.Random(1)


def handshake(more: int = 0) -> list[int]:
    there, back, again, answer = (CHANCE.gauss(size, size / 10) for size in PUBLISHED["TLS 1.3"].mean)
    sizes = (max(there, 530), -back, again, -answer)
    return on_ethernet(round(size) + (more if size > 0 else -more) for size in sizes)


def exchanges(count: int) -> list[int]:
    return on_ethernet(CHANCE.randint(40, 4000) * (1, -1)[i % 2] for i in range(2 * count))


def tunnel(inside: list[int]) -> list[int]:
    """The same beginning in each, something inside, and what comes later."""
    return [400, 1000, -250, -600, 1300, -500, *inside, *exchanges(CHANCE.randint(0, 5))]


MODELS = fit_models({"TLS 1.3": [handshake() for _ in range(100)]}, SSH_ADDS)


def test_windows_have_the_two_bursts_before_them() -> None:
    rows = windows_in_context([1, -2, 3, 3, -4, 5, -6])
    assert rows.tolist() == [
        [0, 0, 1, 2, 6, 4, 1, 1, 2, 1],
        [1, 2, 6, 4, 5, 6, 2, 1, 1, 1],
    ]


def test_of_a_long_flow_some_windows_are_judged() -> None:
    assert len(windows_in_context([1, -1] * 10_000)) == JUDGED
    assert windows_in_context([]).shape == (0, 10)


def test_tunnels_with_a_handshake_are_told_from_ordinary_flows_and_from_tunnels_without() -> None:
    with_tls = [tunnel(handshake(SSH_ADDS)) for _ in range(200)]
    without = [tunnel(exchanges(3)) for _ in range(200)]
    ordinary = [exchanges(CHANCE.randint(1, 10)) for _ in range(400)]
    learner = HandshakeLearner(MODELS, seed=1)
    learner.learn(with_tls[:100], [*ordinary[:200], *without[:100]])
    assert np.median(learner.suspicion(with_tls[100:])) > 0.9
    assert np.median(learner.suspicion(ordinary[200:])) < 0.1
    assert np.median(learner.suspicion(without[100:])) < 0.1


def test_flows_too_short_for_a_handshake_are_not_suspect() -> None:
    learner = HandshakeLearner(MODELS, seed=1)
    learner.learn([handshake() for _ in range(60)], [exchanges(5) for _ in range(60)])
    assert learner.suspicion([[], [10, -10]]).tolist() == [0.0, 0.0]
    assert learner.suspicion([]).tolist() == []
