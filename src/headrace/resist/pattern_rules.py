"""F2d to F2g: rules of classifiers whose programs are not packaged any more, applied by ourselves.

l7-filter looks for patterns in what was said first, libprotoident compares four bytes of each direction.
"""

import re
from typing import Final

from headrace.resist.flows import Flow, Sample

__all__ = ["PATTERN_RULES", "PatternRule"]

#: l7-filter's look: so much of either direction.
_SEEN: Final = 2048
_PRINTED: Final = rb"[\t-\r -~]*"
_L7_HTTP: Final = re.compile(
    rb"post [\t-\r -~]* http/[01]\.[019]"
    rb"|http/(0\.9|1\.0|1\.1) [1-5][0-9][0-9]"
    + _PRINTED
    + rb"(connection:|content-type:|content-length:|date:)",
    re.IGNORECASE,
)
_L7_SSH: Final = re.compile(rb"ssh-[12]\.[0-9]", re.IGNORECASE)
_VERBS: Final = frozenset((b"GET ", b"POST", b"HEAD", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN", b"TRAC"))
_HTTP_PORTS: Final = frozenset((80, 443, 8080, 8081))


class PatternRule:
    """One rule. `classes` says "HTTP", "SSH" or "Unknown" of each connection."""

    def __init__(self, id: str, kind: str) -> None:
        self.id = id
        self._kind = kind
        self._says = "HTTP" if kind.endswith("http") else "SSH"

    def version(self) -> str:
        return "rule"

    def classes(self, sample: Sample) -> list[str]:
        return [self._says if _matches(self._kind, flow) else "Unknown" for flow in sample.flows]


def _matches(kind: str, flow: Flow) -> bool:
    streams = [flow.stream(up=up)[:_SEEN] for up in (True, False)]
    first = [stream[:4] for stream in streams]
    match kind:
        case "l7-filter http":
            return any(_L7_HTTP.search(stream) for stream in streams)
        case "l7-filter ssh":
            return any(_L7_SSH.match(stream) for stream in streams)
        case "libprotoident http":
            if b"GET " in first and flow.server[1] not in _HTTP_PORTS:
                return False
            return any(one in _VERBS and other in (b"HTTP", b"") for one, other in (first, reversed(first)))
    return b"SSH-" in first


PATTERN_RULES: Final = (
    PatternRule("F2d", "l7-filter http"),
    PatternRule("F2e", "l7-filter ssh"),
    PatternRule("F2f", "libprotoident http"),
    PatternRule("F2g", "libprotoident ssh"),
)
