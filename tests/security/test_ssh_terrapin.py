"""Prefix truncation (Terrapin, CVE-2023-48795) and the strict key exchange that prevents it.

The attack: insert a message that is ignored while nothing is authenticated yet, so that the receiver's
sequence number is one ahead; then drop the first protected packet, and the numbers agree again. Where the
cipher uses the sequence number as its nonce, nobody notices what is missing.
"""

from dataclasses import replace

import pytest
from tests.security.ssh_middle import Editor, Middle
from tests.unit.ssh.tools import CHACHA, QUICK, quick_pair, refused

from headrace.base.errors import RemoteProtocolError
from headrace.ssh import numbers
from headrace.ssh.algorithms import ETM_MACS, MACS, PLAIN, STRICT_CLIENT, STRICT_SERVER, Offer
from headrace.ssh.wire import u32
from headrace.testing.peers import SshPair

IGNORE = bytes((numbers.IGNORE,)) + u32(0)
DEBUG = bytes((numbers.DEBUG,)) + b"\0" + u32(0) + u32(0)
UNIMPLEMENTED = bytes((numbers.UNIMPLEMENTED,)) + u32(0)
#: The first protected message of whoever is attacked, and the size of its packet under ChaCha20-Poly1305.
EXT_INFO = bytes((numbers.EXT_INFO,)) + u32(0)
EXT_INFO_SIZE = 4 + 16 + 16


def pair_with_first_message(offer: Offer) -> tuple[SshPair, dict[str, list[int]]]:
    """Return a pair in which both sides say EXT_INFO first thing after NEWKEYS, and who has heard it."""
    pair = quick_pair(offer)
    heard: dict[str, list[int]] = {"client": [], "server": []}
    for name, peer in (("client", pair.client), ("server", pair.server)):
        go_on = peer.transport.ready

        def ready(peer=peer, go_on=go_on) -> None:  # type: ignore[no-untyped-def]
            peer.transport._put(EXT_INFO)
            go_on()

        peer.transport.ready = ready
        peer.transport.table[numbers.EXT_INFO] = lambda payload, log=heard[name]: log.append(payload[0])  # type: ignore[misc]
    return pair.start(), heard


def attack(
    offer: Offer, direction: str, insert_at: int | None, drop: int, payload: bytes = IGNORE
) -> SshPair:
    pair, heard = pair_with_first_message(offer)
    editor = Editor(insert_at, payload, drop)
    if direction == "up":
        Middle(pair, up=editor).run()
        assert bool(heard["server"]) == (not drop)
    else:
        Middle(pair, down=editor).run()
        assert bool(heard["client"]) == (not drop)
    return pair


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("insert_at", [0, 1, 2])
def test_the_attack_works_without_strictness(direction: str, insert_at: int) -> None:
    """The control: without it the tests below would pass even if our editor could not do the attack."""
    pair = attack(replace(CHACHA, strict=False), direction, insert_at, EXT_INFO_SIZE)
    assert pair.outcome is True


@pytest.mark.parametrize("direction", ["up", "down"])
def test_dropping_alone_does_not_work_even_without_strictness(direction: str) -> None:
    with pytest.raises(RemoteProtocolError):
        attack(replace(CHACHA, strict=False), direction, None, EXT_INFO_SIZE)


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("insert_at", [0, 1, 2])
def test_strictness_refuses_the_attack(direction: str, insert_at: int) -> None:
    with refused(2, "strict key exchange|first key exchange"):
        attack(CHACHA, direction, insert_at, EXT_INFO_SIZE)


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("insert_at", [0, 1, 2])
@pytest.mark.parametrize("payload", [IGNORE, DEBUG, UNIMPLEMENTED, b"\x00"])
@pytest.mark.parametrize("offer", [QUICK, CHACHA], ids=["gcm", "chacha"])
def test_strictness_refuses_every_insertion(
    offer: Offer, payload: bytes, insert_at: int, direction: str
) -> None:
    with refused(2, "strict key exchange|first key exchange"):
        attack(offer, direction, insert_at, 0, payload)


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("offer", [QUICK, CHACHA], ids=["gcm", "chacha"])
@pytest.mark.parametrize("strict", [True, False])
def test_dropping_the_first_packet_is_noticed(offer: Offer, strict: bool, direction: str) -> None:
    with pytest.raises(RemoteProtocolError):
        attack(replace(offer, strict=strict), direction, None, EXT_INFO_SIZE)


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("macs", [MACS[:1], ETM_MACS[:1]], ids=["encrypt-and-mac", "encrypt-then-mac"])
def test_a_key_stream_out_of_step_is_noticed_even_without_strictness(
    macs: tuple[str, ...], direction: str
) -> None:
    """With CTR the sequence numbers may agree again, the key streams do not.

    Encrypt-then-MAC authenticates such a packet, but what it deciphers to is noise. Once in some thousand
    times that reads like the end of a log-in, which is not what the attacker chose.
    """
    offer = replace(QUICK, ciphers=("aes128-ctr",), macs=macs, strict=False)
    size = 4 + 16 + 32 if macs == ETM_MACS[:1] else 16 + 32
    logged_in = 0
    for _ in range(20):
        pair, _heard = pair_with_first_message(offer)
        editor = Editor(1, IGNORE, size)
        middle = Middle(pair, up=editor) if direction == "up" else Middle(pair, down=editor)
        try:
            middle.run()
        except RemoteProtocolError:
            pass
        logged_in += pair.outcome is True
    assert logged_in <= 1


@pytest.mark.parametrize("offer", [QUICK, CHACHA], ids=["gcm", "chacha"])
def test_strictness_starts_the_sequence_numbers_afresh(offer: Offer) -> None:
    pair = quick_pair(offer).start()
    pair.run()
    for sender, receiver, packets in ((pair.client, pair.server, 2), (pair.server, pair.client, 2)):
        sealer, opener = sender.transport._sealer, receiver.transport._opener
        assert sealer is not None and opener is not None
        assert sealer.sequence == opener.sequence == packets


def test_without_strictness_they_go_on() -> None:
    pair = quick_pair(replace(CHACHA, strict=False)).start()
    pair.run()
    assert pair.client.transport._sealer.sequence == 3 + 2  # type: ignore[union-attr]


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("ciphers", [PLAIN.ciphers[:1], CHACHA.ciphers, ("aes128-ctr",)])
def test_a_peer_whose_lists_were_cut_down_still_connects(side: str, ciphers: tuple[str, ...]) -> None:
    """Deployed peers draw their lists at random, and the marker may fall out."""
    cut = Offer(kex=("curve25519-sha256",), ciphers=ciphers, macs=MACS[:1], strict=False)
    client, server = (cut, PLAIN) if side == "client" else (PLAIN, cut)
    pair = SshPair(client_offer=client, server_offer=server).start()
    pair.run()
    assert pair.outcome is True


@pytest.mark.parametrize("direction", ["up", "down"])
def test_the_marker_cannot_be_taken_out_on_the_way(direction: str) -> None:
    """It is part of what the server signs."""
    marker = STRICT_CLIENT if direction == "up" else STRICT_SERVER

    def rename(data: bytes) -> bytes:
        return data.replace(marker.encode(), marker.replace("strict", "lenien").encode())

    pair = quick_pair(CHACHA).start()
    with refused(9, "does not verify"):
        Middle(pair, **{direction: rename}).run()


def test_the_marker_counts_only_in_the_first_exchange() -> None:
    """A peer that turns strict later, or no more sends the marker, changes nothing."""
    pair = SshPair(client_offer=replace(CHACHA, strict=False), server_offer=CHACHA).start()
    pair.run()
    pair.client.transport._offer = replace(CHACHA, kex=(*CHACHA.kex, STRICT_CLIENT))
    pair.server.transport._offer = replace(CHACHA, kex=(*CHACHA.kex, STRICT_SERVER))
    before = pair.client.transport._sealer.sequence  # type: ignore[union-attr]
    pair.client.transport.rekey()
    pair.run()
    assert pair.client.transport._sealer.sequence == before + 3  # type: ignore[union-attr]
