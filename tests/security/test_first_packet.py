"""Attack: block connections whose first packet looks fully encrypted (resistance spec, F1).

With the default prefix, neither side's first packet is ever flagged. Without one, nearly all are; that is
stated, not hidden, and doubles as the control of the detector.
"""

import pytest

from headrace.base.rng import SeededRng
from headrace.obfuscation.client import ClientObfuscator
from headrace.obfuscation.default_prefix import default_prefixes, default_server_prefixes
from headrace.obfuscation.prefix import PrefixSpecs
from headrace.obfuscation.server import Accepted, ServerObfuscator

KEYWORD = b"8f" * 32
CONNECTIONS = 300
VERBS = (b"GET ", b"PUT ", b"POST ", b"HEAD ")


def printable(byte: int) -> bool:
    return 0x20 <= byte <= 0x7E


def longest_printable_run(payload: bytes) -> int:
    best = run = 0
    for byte in payload:
        run = run + 1 if printable(byte) else 0
        best = max(best, run)
    return best


def flagged(payload: bytes, *, last_version: int = 9, enough: int = 20) -> bool:
    """Apply the rule: exempt for any of five reasons, flagged otherwise."""
    bits = sum(byte.bit_count() for byte in payload) / len(payload)
    tls = payload[0] in (0x16, 0x17) and payload[1] == 3 and payload[2] <= last_version
    return not (
        bits <= 3.4
        or bits >= 4.6
        or all(map(printable, payload[:6]))
        or sum(map(printable, payload)) * 2 > len(payload)
        or longest_printable_run(payload) > enough
        or tls
        or payload.startswith(VERBS)
    )


def first_packets(prefixes: PrefixSpecs, answers: PrefixSpecs, seed: int) -> tuple[bytes, bytes]:
    """Return the first segment of the client and of the server in one connection."""
    rng = SeededRng(seed)
    client = ClientObfuscator(KEYWORD, rng, prefix=prefixes.draw(443, rng))
    server = ServerObfuscator(KEYWORD, rng, lambda seed: False, answers)
    accepted = server.receive(b"".join(client.opening))
    assert isinstance(accepted, Accepted)
    return client.opening[0], accepted.opening[0]


@pytest.mark.parametrize(
    ("last_version", "enough"), [(9, 20), (15, 20), (9, 19)], ids=["paper", "script", "ndpi"]
)
def test_the_default_prefix_is_never_flagged(last_version: int, enough: int) -> None:
    prefixes, answers = default_prefixes(), default_server_prefixes()
    for seed in range(CONNECTIONS):
        for packet in first_packets(prefixes, answers, seed):
            assert not flagged(packet, last_version=last_version, enough=enough)


def test_control_without_a_prefix_nearly_all_are_flagged() -> None:
    hits = [
        flagged(packet)
        for seed in range(CONNECTIONS)
        for packet in first_packets(PrefixSpecs(), PrefixSpecs(), seed)
    ]
    assert sum(hits) / len(hits) > 0.95
