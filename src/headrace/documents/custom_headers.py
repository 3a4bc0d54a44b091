"""`CustomHeaders`: what is added to every request to an HTTP upstream proxy (client spec §3).

    {"X-Plan": ["free"], "Host": ["allowed.example"]}

A Host replaces the one in CONNECT; where the connection goes is not changed by it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from headrace.base.errors import DocumentError

__all__ = ["read_custom_headers"]

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: With one of these CONNECT would have a body to wait for, or could not be read at all.
_OURS: Final = frozenset(("content-length", "transfer-encoding", "upgrade"))


def read_custom_headers(fields: Mapping[str, Iterable[str]]) -> tuple[tuple[str, str], ...]:
    """Return names and values in order. Raises DocumentError, which repeats no value: it may be a secret."""
    headers = []
    for name, values in fields.items():
        if not _NAME.fullmatch(name):
            raise DocumentError("has a header name that HTTP does not allow: use letters, digits and hyphens")
        if name.lower() in _OURS:
            raise DocumentError(f"has {name}, which a CONNECT request cannot have: leave it out")
        for value in map(str.strip, values):
            if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in value):
                raise DocumentError(f"has a value of {name} with a control character in it: leave that out")
            headers.append((name, value))
    if sum(name.lower() == "host" for name, _ in headers) > 1:
        raise DocumentError("has several values of Host: a request can have one")
    return tuple(headers)
