"""Packet protection: known answers, plain re-implementations, and tampering with every byte."""

import hashlib
import hmac
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.poly1305 import Poly1305
from tests.unit.ssh.tools import refused

from headrace.base.errors import RemoteProtocolError
from headrace.ssh.protection import HEADROOM, MAX_OVERHEAD, MAX_PACKET, TAILROOM, Opener, Sealer, suite

SUITES = [
    ("aes128-gcm@openssh.com", ""),
    ("aes256-gcm@openssh.com", ""),
    ("chacha20-poly1305@openssh.com", ""),
    *(
        (f"aes{bits}-ctr", f"hmac-sha2-{size}{kind}")
        for bits in (128, 192, 256)
        for size in (256, 512)
        for kind in ("", "-etm@openssh.com")
    ),
]
LENGTHS_IN_CLEAR = [pair for pair in SUITES if "gcm" in pair[0] or "etm" in pair[1]]


def material(cipher: str, mac: str) -> tuple[bytes, bytes, bytes]:
    sizes = suite(cipher, mac).sizes
    stream = hashlib.shake_256(cipher.encode()).digest(sizes.key + sizes.iv + sizes.mac)
    return stream[: sizes.key], stream[sizes.key : sizes.key + sizes.iv], stream[sizes.key + sizes.iv :]


def machines(cipher: str, mac: str, sequence: int = 0) -> tuple[Sealer, Opener]:
    recipe, keys = suite(cipher, mac), material(cipher, mac)
    return recipe.sealer(sequence, *keys), recipe.opener(sequence, *keys)


def opened(opener: Opener, packet: bytes) -> bytes:
    assert opener.length(memoryview(packet)[:4]) == len(packet)
    body = opener.open(memoryview(packet))
    return bytes(body[1 : len(body) - body[0]])


# ---- known answers --------------------------------------------------------------------------------------


def test_chacha20_poly1305_worked_example() -> None:
    """draft-ietf-sshm-chacha20-poly1305, appendix A: packet number 7 with a given padding."""
    key = bytes.fromhex(
        "8bbff6855fc102338c373e73aac0c914f076a905b2444a32eecaffeae22becc5"
        "e9b7a7a5825a8249346ec1c28301cf394543fc7569887d76e168f37562ac0740"
    )
    plain = bytes.fromhex(
        "065e00000000000000384c6f72656d20697073756d20646f6c6f722073697420"
        "616d65742c20636f6e7365637465747572206164697069736963696e6720656c69744e43e804dc6c"
    )
    packet = bytes.fromhex(
        "2c3ecce4"
        "a5bc05895bf07a7ba956b6c68829ac7c83b780b7000ecde745afc705bbc378ce"
        "03a280236b87b53bed5839662302b164b6286a48cd1e097138e3cb909b8b2b829dd18d2a35ff82d9"
        "95349e855bf02c298ef775f2d1a7e8b8"
    )
    recipe = suite("chacha20-poly1305@openssh.com", "")
    opener = recipe.opener(7, key, b"", b"")
    assert opener.length(memoryview(packet)[:4]) == len(packet)
    assert opener.open(memoryview(packet)) == plain

    scratch = memoryview(bytearray(4) + plain + bytes(TAILROOM))
    out = memoryview(bytearray(len(plain) + MAX_OVERHEAD))
    used = recipe.sealer(7, key, b"", b"").seal_into(scratch, HEADROOM, 4 + len(plain) - 6, out, False)
    assert out[:used] == packet


# ---- plain re-implementations ---------------------------------------------------------------------------


def pad(payload: bytes, block: int, counted: int) -> bytes:
    padding = -(counted + len(payload)) % block
    padding += block if padding < 4 else 0
    body = bytes((padding,)) + payload + bytes(padding)
    return len(body).to_bytes(4, "big") + body


def plain_gcm(payload: bytes, sequence: int, key: bytes, iv: bytes, mac: bytes, name: str) -> bytes:
    """`sequence` counts invocations here; the packet number does not enter (RFC 5647 §7.1)."""
    packet = pad(payload, 16, 1)
    counter = (int.from_bytes(iv[4:], "big") + sequence) % 2**64
    return packet[:4] + AESGCM(key).encrypt(iv[:4] + counter.to_bytes(8, "big"), packet[4:], packet[:4])


def plain_chacha(payload: bytes, sequence: int, key: bytes, iv: bytes, mac: bytes, name: str) -> bytes:
    def stream(half: bytes, block: int, data: bytes) -> bytes:
        nonce = block.to_bytes(8, "little") + sequence.to_bytes(8, "big")
        return Cipher(algorithms.ChaCha20(half, nonce), None).encryptor().update(data)

    packet = pad(payload, 8, 1)
    enciphered = stream(key[32:], 0, packet[:4]) + stream(key[:32], 1, packet[4:])
    return enciphered + Poly1305.generate_tag(stream(key[:32], 0, bytes(32)), enciphered)


def plain_ctr(payload: bytes, sequence: int, key: bytes, iv: bytes, mac: bytes, name: str) -> bytes:
    """The first packet only: the counter goes on from there."""
    hash_name = "sha512" if "512" in name else "sha256"
    cipher = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
    number = sequence.to_bytes(4, "big")
    if name.endswith("-etm@openssh.com"):
        packet = pad(payload, 16, 1)
        packet = packet[:4] + cipher.update(packet[4:])
        return packet + hmac.digest(mac, number + packet, hash_name)
    packet = pad(payload, 16, 5)
    return cipher.update(packet) + hmac.digest(mac, number + packet, hash_name)


def plain_of(cipher: str) -> Callable[[bytes, int, bytes, bytes, bytes, str], bytes]:
    return plain_gcm if "gcm" in cipher else plain_chacha if "chacha" in cipher else plain_ctr


@pytest.mark.parametrize(("cipher", "mac"), SUITES)
@pytest.mark.parametrize("size", [*range(1, 34), 255, 4096, 32768])
def test_packets_are_what_the_documents_say(cipher: str, mac: str, size: int) -> None:
    payload = (bytes(range(256)) * (size // 256 + 1))[:size]
    sealer, opener = machines(cipher, mac)
    packet = bytes(sealer.seal(payload))
    assert packet == plain_of(cipher)(payload, 0, *material(cipher, mac), mac)
    assert opened(opener, packet) == payload
    assert len(packet) <= size + MAX_OVERHEAD


@pytest.mark.parametrize("sequence", [1, 0xFFFFFFFF])
@pytest.mark.parametrize(("cipher", "mac"), [pair for pair in SUITES if "gcm" not in pair[0]])
def test_the_sequence_number_enters_and_wraps(cipher: str, mac: str, sequence: int) -> None:
    sealer, opener = machines(cipher, mac, sequence)
    packet = bytes(sealer.seal(b"payload"))
    assert packet == plain_of(cipher)(b"payload", sequence, *material(cipher, mac), mac)
    assert opened(opener, packet) == b"payload"
    assert sealer.sequence == opener.sequence == (sequence + 1) % 2**32
    assert opened(opener, bytes(sealer.seal(b"next"))) == b"next"


def test_the_gcm_counter_steps_and_wraps() -> None:
    key, iv = bytes(16), b"fix!" + b"\xff" * 8
    recipe = suite("aes128-gcm@openssh.com", "")
    sealer, opener = recipe.sealer(5, key, iv, b""), recipe.opener(5, key, iv, b"")
    for step in range(3):
        packet = bytes(sealer.seal(b"payload"))
        assert packet == plain_gcm(b"payload", step, key, iv, b"", "")
        assert opened(opener, packet) == b"payload"


@pytest.mark.parametrize(("cipher", "mac"), SUITES)
def test_many_packets_in_a_row(cipher: str, mac: str) -> None:
    sealer, opener = machines(cipher, mac)
    for size in range(1, 100):
        assert opened(opener, bytes(sealer.seal(bytes((size,)) * size))) == bytes((size,)) * size


@pytest.mark.parametrize(("cipher", "mac"), SUITES)
def test_sealing_in_place_writes_only_around_the_data(cipher: str, mac: str) -> None:
    """Padding is zeroed on request; without it, it is what lies behind the payload."""
    for clean in (True, False):
        sealer, opener = machines(cipher, mac)
        scratch = bytearray(b"\xaa" * 200)
        scratch[50:80] = b"p" * 30
        out = memoryview(bytearray(300))
        used = sealer.seal_into(memoryview(scratch), 50, 80, out, clean)
        assert scratch[: 50 - HEADROOM] == b"\xaa" * (50 - HEADROOM)
        assert scratch[50:80] == b"p" * 30
        assert scratch[80 + TAILROOM :] == b"\xaa" * (120 - TAILROOM)
        opener.length(out[:4])
        body = opener.open(out[:used])
        assert 4 <= body[0] <= TAILROOM
        assert body[-body[0] :] == (b"\0" if clean else b"\xaa") * body[0]
        assert body[1 : -body[0]] == b"p" * 30


@pytest.mark.parametrize(("cipher", "mac"), SUITES)
def test_both_ways_of_sealing_give_the_same(cipher: str, mac: str) -> None:
    for size in (*range(1, 70), 4096, 40_000):
        copied, in_place = machines(cipher, mac)[0], machines(cipher, mac)[0]
        scratch = memoryview(bytearray(b"\xaa" * HEADROOM + bytes(size) + b"\xaa" * TAILROOM))
        out = memoryview(bytearray(size + MAX_OVERHEAD))
        used = in_place.seal_into(scratch, HEADROOM, HEADROOM + size, out, True)
        assert copied.seal(bytes(size)) == out[:used]
        assert copied.sequence == in_place.sequence == 1


@pytest.mark.parametrize(("cipher", "mac"), SUITES)
def test_padding_rules(cipher: str, mac: str) -> None:
    """RFC 4253 §6: at least 4 bytes, the whole a multiple of the block; AEAD and EtM leave the length out."""
    apart = cipher.endswith("@openssh.com") or mac.endswith("@openssh.com")
    block = 8 if "chacha" in cipher else 16
    tag = {"": 16}.get(mac, 64 if "512" in mac else 32)
    for size in range(1, 70):
        packet = machines(cipher, mac)[0].seal(bytes(size))
        assert (len(packet) - tag - (4 if apart else 0)) % block == 0


# ---- tampering ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cipher", "mac"), SUITES)
def test_every_changed_byte_is_noticed(cipher: str, mac: str) -> None:
    packet = bytes(machines(cipher, mac)[0].seal(b"some payload or other"))
    for place in range(len(packet)):
        for bit in (0x01, 0x80):
            changed = bytearray(packet)
            changed[place] ^= bit
            opener = machines(cipher, mac)[1]
            with pytest.raises(RemoteProtocolError) as caught:
                size = opener.length(memoryview(changed)[:4])
                opener.open(memoryview(bytes(changed).ljust(size, b"\0"))[:size])
            assert caught.value.code == 5 or place < 4


@pytest.mark.parametrize(("cipher", "mac"), SUITES)
def test_replayed_swapped_and_dropped_packets_are_noticed(cipher: str, mac: str) -> None:
    def receive(*order: int) -> None:
        sealer, opener = machines(cipher, mac)
        packets = [bytes(sealer.seal(bytes((number,)) * 20)) for number in range(3)]
        for number in order:
            size = opener.length(memoryview(packets[number])[:4])
            opener.open(memoryview(packets[number].ljust(size, b"\0"))[:size])

    receive(0, 1, 2)
    for order in ((0, 0), (1,), (0, 2), (1, 0)):
        with pytest.raises(RemoteProtocolError):
            receive(*order)


@pytest.mark.parametrize(("cipher", "mac"), LENGTHS_IN_CLEAR)
@pytest.mark.parametrize("length", [0, 4, 5, 17, MAX_PACKET + 16, 0xFFFFFFFF, 0x80000000])
def test_clear_lengths_out_of_bounds(cipher: str, mac: str, length: int) -> None:
    with refused(2, "packet length"):
        machines(cipher, mac)[1].length(memoryview(length.to_bytes(4, "big")))


@pytest.mark.parametrize(("cipher", "mac"), [pair for pair in SUITES if pair not in LENGTHS_IN_CLEAR])
@pytest.mark.parametrize("length", [0, 5, 13, MAX_PACKET + 12, 0xFFFFFFFF])
def test_enciphered_lengths_out_of_bounds(cipher: str, mac: str, length: int) -> None:
    if "chacha" in cipher and length == 13:
        length = 1  # that cipher has no block to be a multiple of
    sealer, opener = machines(cipher, mac)
    right = bytes(sealer.seal(bytes(20)))[:4]
    plain = (32 if "chacha" in cipher else 28).to_bytes(4, "big")
    keystream = bytes(a ^ b for a, b in zip(right, plain, strict=True))
    wrong = bytes(a ^ b for a, b in zip(keystream, length.to_bytes(4, "big"), strict=True))
    with refused(2, f"packet length {length}"):
        opener.length(memoryview(wrong))


@pytest.mark.parametrize(("cipher", "mac"), SUITES)
def test_the_longest_packet_passes(cipher: str, mac: str) -> None:
    sealer, opener = machines(cipher, mac)
    payload = bytes(MAX_PACKET - 40)
    assert opened(opener, bytes(sealer.seal(payload))) == payload
