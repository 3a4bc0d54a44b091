"""Go's durations as text."""

import pytest

from headrace.codec.go_duration import duration_text, parse_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "250ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (61.25, "1m1.25s"),
        (300, "5m0s"),
        (3600, "1h0m0s"),
        (86_399.001, "23h59m59.001s"),
    ],
)
def test_both_ways(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("7us", 7e-6), ("7µs", 7e-6), ("9ns", 9e-9), ("1h1ms", 3600.001)]
)
def test_other_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 s", "5d", "1" * 13 + "s", "٣s"])
def test_garbage(text: str) -> None:
    with pytest.raises(ValueError, match="write for instance"):
        parse_duration(text)
