"""Take IP addresses out of text, so that no address of a client or server reaches a log or a notice.

It errs on the side of redaction: four small numbers joined by dots count as an address whatever they mean.
Each pattern is of bounded length, so that long lines of hexadecimal cost no more than other text.
"""

import re

__all__ = ["REDACTED", "scrub_addresses"]

REDACTED = "[redacted]"

_GROUP = r"[0-9A-Fa-f]{1,4}"
_GROUPS = rf"{_GROUP}(?::{_GROUP}){{0,6}}"
_DOTTED = r"\d{1,3}(?:\.\d{1,3}){3}"
_TAIL = r"(?:(?:\.\d{1,3}){3})?"  # IPv4 in the last 32 bits; its first number was taken for a group

_V6 = (
    rf"(?:(?:{_GROUP}:){{7}}{_GROUP}"
    rf"|(?:{_GROUP}:){{6}}{_DOTTED}"
    rf"|{_GROUPS}::(?:{_GROUPS}{_TAIL})?"
    rf"|::{_GROUPS}{_TAIL})"
)
_ADDRESS = re.compile(
    rf"(?:\[{_V6}(?:%[\w.~-]{{1,32}})?\]|{_V6}(?:%[\w.~-]{{1,32}})?|{_DOTTED})(?::\d{{1,5}})?"
)


def scrub_addresses(text: str) -> str:
    """Return `text` with IPv4 and IPv6 addresses, and a port that follows, replaced by `[redacted]`."""
    return _ADDRESS.sub(REDACTED, text)
