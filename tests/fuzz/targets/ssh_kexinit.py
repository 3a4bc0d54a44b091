"""KEXINIT: what can be read is written and read the same, and is agreed upon or refused."""

from contextlib import suppress

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.ssh.algorithms import CIPHERS_HIDING_LENGTHS, OBFUSCATED, PLAIN, KexInit, negotiate

OURS = [KexInit.from_offer(offer, SeededRng(1), client=True, first=True) for offer in (PLAIN, OBFUSCATED)]
SEEDS = [message.encode() for message in OURS]


def fuzz(data: bytes) -> None:
    """`data` is the message."""
    try:
        theirs = KexInit.parse(data)
    except RemoteProtocolError:
        return
    assert KexInit.parse(theirs.encode()) == theirs
    hiding = set(OBFUSCATED.hiding_lengths_from(theirs).ciphers) <= CIPHERS_HIDING_LENGTHS
    assert hiding <= all(CIPHERS_HIDING_LENGTHS.intersection(names) for names in theirs.ciphers)
    for ours in OURS:
        for client, server in ((ours, theirs), (theirs, ours)):
            with suppress(RemoteProtocolError):
                choice = negotiate(client, server)
                assert choice.kex in ours.kex and choice.kex in theirs.kex
                assert set(choice.ciphers) <= set(PLAIN.ciphers)
                assert set(choice.macs) <= {"", *PLAIN.macs}
