"""Offers, KEXINIT and the choice between two of them (RFC 4253 §7.1)."""

from dataclasses import replace

import pytest
from tests.unit.ssh.tools import CHACHA, QUICK, refused

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.ssh.algorithms import (
    AEAD_CIPHERS,
    CIPHERS_HIDING_LENGTHS,
    ETM_MACS,
    MACS,
    OBFUSCATED,
    PLAIN,
    STRICT_CLIENT,
    STRICT_SERVER,
    KexInit,
    Offer,
    negotiate,
)
from headrace.testing.peers import SshPair

CHACHA20, GCM, CTR = "chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes128-ctr"


def init(offer: Offer, *, client: bool = True, first: bool = True) -> KexInit:
    return KexInit.from_offer(offer, SeededRng(1), client=client, first=first)


def test_what_is_written_is_read_back() -> None:
    message = replace(init(OBFUSCATED), guessed=True)
    assert KexInit.parse(message.encode()) == message


def test_every_truncation_is_refused() -> None:
    whole = init(QUICK).encode()
    for size in range(len(whole)):
        with pytest.raises(RemoteProtocolError):
            KexInit.parse(whole[:size])


def test_another_message_number_is_refused() -> None:
    with refused(3):
        KexInit.parse(b"\x15" + init(QUICK).encode()[1:])


def test_no_sha1_and_no_cbc_in_any_offer() -> None:
    for offer in (PLAIN, OBFUSCATED):
        names = (*offer.kex, *offer.host_keys, *offer.ciphers, *offer.macs)
        assert not [name for name in names if "sha1" in name or "cbc" in name or name == "ssh-rsa"]


def test_the_marker_goes_only_into_the_first_message() -> None:
    assert init(PLAIN).kex[-1] == STRICT_CLIENT
    assert init(PLAIN, client=False).kex[-1] == STRICT_SERVER
    assert STRICT_CLIENT not in init(PLAIN, first=False).kex
    assert STRICT_CLIENT not in init(replace(PLAIN, strict=False)).kex


def test_encrypt_then_mac_is_for_plain_ssh_and_comes_last() -> None:
    assert PLAIN.macs == (*MACS, *ETM_MACS)
    assert not set(ETM_MACS) & set(OBFUSCATED.macs)
    assert not set(ETM_MACS) & set(Offer().macs)


def test_the_clients_order_decides() -> None:
    client = Offer(kex=("b", "a"), host_keys=("h2", "h1"), ciphers=(CTR, GCM), macs=("m2", "m1"))
    server = Offer(kex=("a", "b"), host_keys=("h1", "h2"), ciphers=(GCM, CTR), macs=("m1", "m2"))
    choice = negotiate(init(client), init(server, client=False))
    assert (choice.kex, choice.host_key) == ("b", "h2")
    assert choice.ciphers == (CTR, CTR)
    assert choice.macs == ("m2", "m2")


def test_directions_are_chosen_apart_and_aead_ciphers_need_no_mac() -> None:
    client = replace(init(QUICK), ciphers=((GCM,), (CTR,)), macs=((), ("m",)))
    server = replace(client, kex=client.kex, compression=(("zlib", "none"), ("none",)))
    choice = negotiate(client, server)
    assert choice.ciphers == (GCM, CTR)
    assert choice.macs == ("", "m")


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"kex": ("x",)}, "key exchange"),
        ({"kex": ()}, "key exchange"),
        ({"host_keys": ("x",)}, "host key"),
        ({"ciphers": ((GCM,), ("x",))}, "cipher"),
        ({"ciphers": (("x",), (GCM,))}, "cipher"),
        ({"ciphers": ((CTR,), (CTR,)), "macs": ((), ())}, "MAC"),
        ({"compression": (("zlib",), ("none",))}, "compression"),
        ({"compression": (("none",), ("zlib",))}, "compression"),
    ],
)
def test_nothing_in_common_is_refused_by_name(change: dict[str, object], kind: str) -> None:
    ours = init(replace(QUICK, ciphers=(GCM, CTR), macs=MACS))
    theirs = replace(ours, **change)  # type: ignore[arg-type]
    with refused(3, f"no common {kind}"):
        negotiate(ours, theirs)
    with refused(3, f"no common {kind}"):
        negotiate(theirs, ours)


def test_strict_markers_are_never_chosen() -> None:
    both = replace(init(QUICK), kex=(STRICT_CLIENT, STRICT_SERVER))
    with refused(3, "key exchange"):
        negotiate(both, both)


# ---- hiding lengths under obfuscation -------------------------------------------------------------------


def hidden(ciphers: tuple[tuple[str, ...], tuple[str, ...]], macs: tuple[str, ...] = MACS) -> tuple[str, ...]:
    peer = replace(init(QUICK), ciphers=ciphers, macs=(macs, macs))
    return OBFUSCATED.hiding_lengths_from(peer).ciphers


def test_ciphers_that_show_lengths_go_where_the_peer_can_do_without() -> None:
    for name in (CHACHA20, CTR):
        assert set(hidden(((GCM, name), (GCM, name)))) <= CIPHERS_HIDING_LENGTHS


def test_they_stay_where_it_cannot() -> None:
    assert hidden(((GCM,), (GCM,))) == OBFUSCATED.ciphers
    assert hidden(((GCM, CTR), (GCM,))) == OBFUSCATED.ciphers
    assert hidden(((GCM,), (GCM, CTR))) == OBFUSCATED.ciphers


def test_a_cipher_without_a_common_mac_hides_nothing() -> None:
    sha1 = ("hmac-sha1", *ETM_MACS)
    assert hidden(((CTR, GCM), (CTR, GCM)), sha1) == AEAD_CIPHERS
    assert hidden(((CTR, CHACHA20), (CTR, CHACHA20)), sha1) == (AEAD_CIPHERS[0],)


@pytest.mark.parametrize("macs", [MACS, (*ETM_MACS, "hmac-sha1")])
@pytest.mark.parametrize("ciphers", [(GCM, CHACHA20), (GCM, CTR), (CTR, GCM), (GCM,), (CTR, CHACHA20)])
def test_a_hiding_server_connects_with_whatever_can_be_had(
    ciphers: tuple[str, ...], macs: tuple[str, ...]
) -> None:
    pair = SshPair(
        client_offer=replace(QUICK, ciphers=ciphers, macs=macs), server_offer=OBFUSCATED, hide_lengths=True
    ).start()
    pair.run()
    assert pair.outcome is True


# ---- the guessed first message --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "right"),
    [
        (QUICK, True),
        (replace(QUICK, kex=("x", *QUICK.kex)), False),
        (replace(QUICK, host_keys=("x", *QUICK.host_keys)), False),
        (replace(QUICK, kex=("ecdh-sha2-nistp256", *QUICK.kex)), False),
    ],
)
def test_a_guess_counts_only_if_it_was_right(theirs: Offer, right: bool) -> None:
    """The client announces a guess. If it was wrong, its first message is thrown away."""
    ours = replace(QUICK, kex=(*QUICK.kex, "ecdh-sha2-nistp256"))
    pair = SshPair(client_offer=theirs, server_offer=ours)
    transport = pair.client.transport
    transport._offer = theirs  # names that nobody knows would be left out otherwise
    original = KexInit.from_offer

    def guessing(offer: Offer, rng: SeededRng, *, client: bool, first: bool) -> KexInit:
        message = original(offer, rng, client=client, first=first)
        return replace(message, guessed=client)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KexInit, "from_offer", guessing)
        pair.start()
        if not right:
            transport._put(b"\x1ewhatever was guessed")
        pair.run()
    assert pair.outcome is True


def test_a_wrong_guess_is_forgiven_only_once() -> None:
    theirs = replace(QUICK, kex=("x", *QUICK.kex))
    pair = SshPair(client_offer=QUICK, server_offer=QUICK).start()
    guessed = replace(init(theirs), guessed=True).encode()
    pair.client.take()
    pair.client.transport._output.append(b"SSH-2.0-Guesser\r\n")
    pair.client.transport._put(guessed)
    pair.client.transport._put(b"\x1eone")
    pair.server.feed(pair.client.take())
    pair.client.transport._put(b"\x1e\x00\x00\x00\x03two")
    with refused(3, "X25519"):
        pair.server.feed(pair.client.take())


def test_our_own_two_sides_agree_on_ciphers_that_suit_the_protocol() -> None:
    def agreed(offer: Offer) -> str:
        return negotiate(init(offer), init(offer, client=False)).ciphers[0]

    assert agreed(OBFUSCATED) == CHACHA20
    assert agreed(PLAIN) == GCM
    assert agreed(CHACHA) == CHACHA20
