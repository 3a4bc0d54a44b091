"""Durations as Go writes them: `250ms`, `1.5s`, `5m0s`. Found in notices and in tactics files."""

import re

__all__ = ["duration_text", "parse_duration"]

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}  # seconds
_TERM = r"(\d{1,12}(?:\.\d{1,9})?)(ns|us|µs|ms|s|m|h)"
_DURATION = re.compile(rf"(?:{_TERM}){{1,8}}", re.ASCII)


def duration_text(seconds: float) -> str:
    """Return a duration given in seconds: `250ms`, `1.5s`, `5m0s`, `1h0m0s`."""
    milliseconds = round(seconds * 1000)
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def parse_duration(text: str) -> float:
    """Return the seconds of a duration that is not negative. Raises ValueError."""
    if text == "0":
        return 0.0
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no duration: write for instance 250ms or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_TERM, text, re.ASCII))
