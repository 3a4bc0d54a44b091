"""Take IP addresses out of text, so that no address of a client or server reaches a log or a notice.

It errs on the side of redaction: four small numbers joined by dots count as an address whatever they mean.
Each pattern is of bounded length, so that long lines of hexadecimal cost no more than other text.
"""

import re
from collections.abc import Mapping

__all__ = ["REDACTED", "scrub_addresses", "scrub_value"]

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


def scrub_value(value: object, longest: int | None = None) -> object:
    """Return a value that JSON can hold, with every text in it redacted, then cut to `longest` characters.

    Not before: half an address is no longer found. Nor is finished JSON redacted, whose escapes can look like
    a part of an address.
    """
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, list | tuple):
        return [scrub_value(item, longest) for item in value]
    if isinstance(value, Mapping):
        return {_scrubbed(str(key), longest): scrub_value(item, longest) for key, item in value.items()}
    return _scrubbed(str(value), longest)


def _scrubbed(text: str, longest: int | None) -> str:
    if "." in text or ":" in text:  # else there is no address, and most texts are done with
        text = scrub_addresses(text)
    return text[:longest]
