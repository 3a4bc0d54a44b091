"""F1: block what looks fully encrypted, by the first payload (Wu et al., USENIX Security 2023).

A payload is exempt if its bits are uneven, its start or much of it is printable, or it begins like TLS or
HTTP; what is not exempt is flagged. There are three forms of the rule: the paper's; that of its authors'
script, whose TLS versions go further; and nDPI's (4.8 and later), for which a shorter printable run is enough
and in which protocols have been told before.
"""

import re
from dataclasses import dataclass
from typing import Final

from headrace.resist.flows import Sample

__all__ = ["RULES", "FirstPacketRule"]

_VERBS: Final = (b"GET ", b"PUT ", b"POST ", b"HEAD ")
_PRINTABLE: Final = bytes(range(0x20, 0x7F))
_RUN: Final = re.compile(rb"[ -~]+")
_LEAST_BITS, _MOST_BITS = 3.4, 4.6
_START: Final = 6


@dataclass(frozen=True, slots=True)
class FirstPacketRule:
    """One form of the rule, for one direction. It flags from no run longer than `run` printable bytes on."""

    name: str
    up: bool
    run: int = 20
    tls_minor: int = 9
    protocols: bool = True
    control: str = "random"

    @property
    def id(self) -> str:
        return f"F1 {self.name}, {'up' if self.up else 'down'}"

    def version(self) -> str:
        return "rule"

    def flags(self, sample: Sample) -> list[bool]:
        """Say of each connection whether it is flagged; one in which nothing is said is not."""
        return [self.flagged(flow.first(up=self.up)) for flow in sample.flows]

    def flagged(self, payload: bytes) -> bool:
        """Say whether nothing exempts this payload."""
        if not payload:
            return False
        bits = int.from_bytes(payload, "big").bit_count() / len(payload)
        printable = len(payload) - len(payload.translate(None, _PRINTABLE))
        return not (
            bits <= _LEAST_BITS
            or bits >= _MOST_BITS
            or (not payload[:_START].translate(None, _PRINTABLE) and len(payload) >= _START)
            or 2 * printable > len(payload)
            or max((len(run) for run in _RUN.findall(payload)), default=0) > self.run
            or (self.protocols and self._known(payload))
        )

    def _known(self, payload: bytes) -> bool:
        tls = (
            payload[0] in (0x16, 0x17)
            and payload[1:2] == b"\x03"
            and payload[2:3] <= bytes((self.tls_minor,))
        )
        return payload.startswith(_VERBS) or (tls and len(payload) >= 3)


RULES: Final = tuple(
    rule
    for up in (True, False)
    for rule in (
        FirstPacketRule("paper", up),
        FirstPacketRule("script", up, tls_minor=15),
        FirstPacketRule("nDPI", up, run=19, protocols=False),
    )
)
