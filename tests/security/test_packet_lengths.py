"""Attack: walk a stream by packet lengths that stand in the clear, which tells SSH from random bytes.

Four plausible lengths in a row are conclusive (resistance spec, F7). AES-GCM and the encrypt-then-MAC modes
show theirs; they are the control that proves the detector sees what it should.
"""

import pytest

from headrace.base.rng import SeededRng
from headrace.ssh.algorithms import CIPHERS_HIDING_LENGTHS, OBFUSCATED, PLAIN, Offer
from headrace.testing.peers import SshPair

TAGS = (16, 20, 32, 64)


def longest_chain(stream: bytes) -> int:
    """Return the longest run of plausible lengths from any offset, for any size of tag."""
    best = 0
    for tag in TAGS:
        chain = [0] * (len(stream) + 1)  # from the end: links that start at this offset
        for offset in range(len(stream) - 4, -1, -1):
            length = int.from_bytes(stream[offset : offset + 4], "big")
            following = offset + 4 + length + tag
            if 12 <= length <= 35_000 and length % 8 in (0, 4) and following <= len(stream):
                chain[offset] = 1 + chain[following]
        best = max(best, *chain)
    return best


def conversation(
    seed: int, client: Offer, server: Offer = OBFUSCATED, *, hide: bool = True
) -> tuple[bytes, bytes]:
    """Return what each side wrote while 100 KB passed each way in pieces of many sizes."""
    rng = SeededRng(seed)
    pair = SshPair(client_offer=client, server_offer=server, hide_lengths=hide, seed=seed).start()
    pair.run()
    endpoint, _ = pair.open()
    far = pair.accepted[0][2]
    for _ in range(40):
        endpoint.send(rng.bytes(rng.between(1, 5000)))
        far.send(rng.bytes(rng.between(1, 5000)))
        pair.run()
    return bytes(pair.client.sent), bytes(pair.server.sent)


def after_the_keys(stream: bytes) -> bytes:
    """Leave out the part that an obfuscation layer would lie over: more than enough of the beginning."""
    return stream[4096:]


@pytest.mark.parametrize("seed", range(10))
def test_our_own_obfuscated_tunnels_cannot_be_walked(seed: int) -> None:
    for stream in conversation(seed, OBFUSCATED):
        assert longest_chain(after_the_keys(stream)) <= 2


def test_a_client_that_prefers_gcm_but_has_better_is_given_the_better() -> None:
    for stream in conversation(1, PLAIN):
        assert longest_chain(after_the_keys(stream)) <= 2


def test_control_gcm_is_walkable() -> None:
    only_gcm = Offer(ciphers=("aes128-gcm@openssh.com",))
    for stream in conversation(1, only_gcm):
        assert longest_chain(after_the_keys(stream)) >= 4


def test_what_we_prefer_under_obfuscation_hides_lengths() -> None:
    hiding = [cipher in CIPHERS_HIDING_LENGTHS for cipher in OBFUSCATED.ciphers]
    assert hiding == sorted(hiding, reverse=True)
    assert not any("etm" in mac for mac in OBFUSCATED.macs)
