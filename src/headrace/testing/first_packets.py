"""What a connection begins with, as a censor looks at it: examples of predicates for `FirstBytes`.

The rules for fully encrypted traffic are those inferred from outside by Wu et al., "How the Great Firewall
of China Detects and Blocks Fully Encrypted Traffic", USENIX Security 2023, Algorithm 1: a connection is
spared if any of five things is so of its first packet, and suspect otherwise.
"""

import re
from collections.abc import Callable
from typing import Final

__all__ = ["begins_with", "exemptions", "looks_fully_encrypted"]

#: Set bits a byte: random bytes have about four.
_FEW_BITS, _MANY_BITS = 3.4, 4.6
#: The first byte of a handshake or data record, the major version, and minor versions up to 9.
_TLS: Final = re.compile(rb"[\x16\x17]\x03[\x00-\x09]", re.DOTALL)
_HTTP: Final = re.compile(rb"(?:GET|PUT|POST|HEAD) ")
_PRINTABLE: Final = re.compile(rb"[\x20-\x7e]")
_PRINTABLE_START: Final = re.compile(rb"[\x20-\x7e]{6}")
_PRINTABLE_RUN: Final = re.compile(rb"[\x20-\x7e]{21}")


def exemptions(packet: bytes) -> list[str]:
    """Return why this first packet of a client is spared. Without a reason it is suspect."""
    if not packet:
        return ["empty"]
    bits = int.from_bytes(packet).bit_count() / len(packet)
    rules = {
        "bits": bits <= _FEW_BITS or bits >= _MANY_BITS,
        "printable start": _PRINTABLE_START.match(packet),
        "mostly printable": len(_PRINTABLE.findall(packet)) * 2 > len(packet),
        "printable run": _PRINTABLE_RUN.search(packet),
        "protocol": _TLS.match(packet) or _HTTP.match(packet),
    }
    return [name for name, holds in rules.items() if holds]


def looks_fully_encrypted(packet: bytes) -> bool:
    """Say whether the censor takes this first packet for fully encrypted traffic."""
    return not exemptions(packet)


def begins_with(*starts: bytes) -> Callable[[bytes], bool]:
    """Return a predicate for packets with one of these starts, such as `SSH-`."""
    return lambda packet: packet.startswith(starts)
