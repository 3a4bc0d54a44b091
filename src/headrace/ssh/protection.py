"""Packet protection: one object per direction and key, made once and used for every packet (RFC 4253 §6).

    Sealer / Opener
    ├── Clear                     before the first NEWKEYS
    ├── AesGcm                    RFC 5647 as OpenSSH uses it: lengths authenticated, not enciphered
    ├── ChaCha20Poly1305          OpenSSH PROTOCOL.chacha20poly1305: lengths enciphered
    └── CtrHmac                   aes*-ctr (RFC 4344) with encrypt-and-MAC: lengths enciphered
        └── CtrEtm                the same with encrypt-then-MAC (OpenSSH PROTOCOL §1.5): lengths in the clear

A packet is  length(4) | padding length(1) | payload | padding | tag.  What lies between length and tag is
called the body here. Sealing works in place: the payload sits in a scratch buffer with HEADROOM bytes before
it and TAILROOM behind, so that header and padding are written around it and nothing is copied.
"""

import hmac
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.poly1305 import Poly1305

from headrace.base.errors import RemoteProtocolError
from headrace.ssh.numbers import MAC_ERROR

__all__ = ["HEADROOM", "MAX_OVERHEAD", "MAX_PACKET", "TAILROOM", "KeySizes", "Opener", "Sealer", "suite"]

#: Bytes before the payload that sealing overwrites: packet length and padding length.
HEADROOM: Final = 5
#: Bytes behind the payload that sealing overwrites with padding.
TAILROOM: Final = 20
#: Most bytes by which a sealed packet exceeds its payload: head, padding, the longest tag.
MAX_OVERHEAD: Final = HEADROOM + TAILROOM + 64
#: Longest packet length field we accept. RFC 4253 §6.1 asks for 35,000; the deployed peers allow this much,
#: and a handshake response carrying many server entries needs it.
MAX_PACKET: Final = 256 * 1024

_U32 = Struct(">I")
_ZEROS = bytes(64)


def _tampered() -> RemoteProtocolError:
    return RemoteProtocolError("packet authentication failed", MAC_ERROR)


def _checked(length: int) -> int:
    """Return a packet length field if it is within bounds."""
    if not 5 < length <= MAX_PACKET:
        raise RemoteProtocolError(f"packet length {length} is out of bounds")
    return length


class Sealer(ABC):
    """Turns payloads into packets. `sequence` is the number of the next packet (RFC 4253 §6.4)."""

    #: The padded part is a multiple of this; whether the length field belongs to that part differs.
    block: int = 8
    length_is_padded: bool = False

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence

    def seal_into(self, scratch: memoryview, start: int, end: int, out: memoryview, clean: bool) -> int:
        """Seal scratch[start:end] as one packet into `out`; return how many bytes that took.

        `clean` zeroes the padding. Without it the padding is whatever follows the payload in the scratch
        buffer, which is right only where that is data for the same peer.
        """
        payload = end - start
        padded = payload + (HEADROOM if self.length_is_padded else 1)
        padding = self.block - padded % self.block
        if padding < 4:
            padding += self.block
        stop = end + padding
        _U32.pack_into(scratch, start - HEADROOM, 1 + payload + padding)
        scratch[start - 1] = padding
        if clean:
            scratch[end:stop] = _ZEROS[:padding]
        used = self._protect(scratch, start - HEADROOM, stop, out)
        self.sequence = self.sequence + 1 & 0xFFFFFFFF
        return used

    def seal(self, payload: bytes) -> bytes | memoryview:
        """Seal one payload; return the packet."""
        scratch = memoryview(bytearray(HEADROOM + len(payload) + TAILROOM))
        scratch[HEADROOM : HEADROOM + len(payload)] = payload
        out = memoryview(bytearray(len(payload) + MAX_OVERHEAD))
        return out[: self.seal_into(scratch, HEADROOM, HEADROOM + len(payload), out, False)]

    @abstractmethod
    def _protect(self, packet: memoryview, start: int, stop: int, out: memoryview) -> int:
        """Encipher and authenticate packet[start:stop], length field first, into `out`."""


class Opener(ABC):
    """Turns packets back into bodies (padding length, payload, padding). `sequence` as for Sealer."""

    tag: int = 16

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence

    @abstractmethod
    def length(self, head: memoryview) -> int:
        """Return the size of the whole packet that starts with these four bytes.

        Called once per packet. Raises RemoteProtocolError if the length is out of bounds.
        """

    @abstractmethod
    def open(self, packet: memoryview) -> bytes:
        """Authenticate and decipher a whole packet; return its body. Raises RemoteProtocolError (code 5)."""


class _AesGcmNonce:
    """12 bytes: fixed part, then a counter that steps with each packet (RFC 5647 §7.1)."""

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._gcm = AESGCM(key)
        self._fixed = iv[:4]
        self._counter = int.from_bytes(iv[4:12], "big")

    def _nonce(self) -> bytes:
        nonce = self._fixed + self._counter.to_bytes(8, "big")
        self._counter = self._counter + 1 & 0xFFFFFFFFFFFFFFFF
        return nonce


class AesGcmSealer(_AesGcmNonce, Sealer):
    block = 16

    def __init__(self, sequence: int, key: bytes, iv: bytes) -> None:
        _AesGcmNonce.__init__(self, key, iv)
        Sealer.__init__(self, sequence)

    def _protect(self, packet: memoryview, start: int, stop: int, out: memoryview) -> int:
        body = start + 4
        used = stop - start + 16
        head = bytes(packet[start:body])
        out[:4] = head
        self._gcm.encrypt_into(self._nonce(), packet[body:stop], head, out[4:used])
        return used


class AesGcmOpener(_AesGcmNonce, Opener):
    def __init__(self, sequence: int, key: bytes, iv: bytes) -> None:
        _AesGcmNonce.__init__(self, key, iv)
        Opener.__init__(self, sequence)

    def length(self, head: memoryview) -> int:
        length = _checked(_U32.unpack(head)[0])
        if length % 16:
            raise RemoteProtocolError(f"packet length {length} is not a multiple of the cipher's block")
        return length + 20

    def open(self, packet: memoryview) -> bytes:
        try:
            body = self._gcm.decrypt(self._nonce(), packet[4:], bytes(packet[:4]))
        except InvalidTag:
            raise _tampered() from None
        self.sequence = self.sequence + 1 & 0xFFFFFFFF
        return body


class _ChaCha:
    """Two ChaCha20 contexts, re-nonced per packet: one for the length, one for key and body."""

    def __init__(self, key: bytes) -> None:
        start = bytes(16)
        self._body = Cipher(algorithms.ChaCha20(key[:32], start), None).encryptor()
        self._head = Cipher(algorithms.ChaCha20(key[32:], start), None).encryptor()

    def _start(self, nonce: bytes) -> bytes:
        """Rewind the body context for one packet, up to block 1; return the packet's Poly1305 key."""
        self._body.reset_nonce(nonce)
        return self._body.update(_ZEROS)[:32]


class ChaChaSealer(_ChaCha, Sealer):
    def __init__(self, sequence: int, key: bytes) -> None:
        _ChaCha.__init__(self, key)
        Sealer.__init__(self, sequence)

    def _protect(self, packet: memoryview, start: int, stop: int, out: memoryview) -> int:
        end = stop - start
        nonce = self.sequence.to_bytes(16, "big")
        self._head.reset_nonce(nonce)
        self._head.update_into(packet[start : start + 4], out)
        key = self._start(nonce)
        self._body.update_into(packet[start + 4 : stop], out[4:])
        out[end : end + 16] = Poly1305.generate_tag(key, out[:end])
        return end + 16

    def seal(self, payload: bytes) -> bytes:
        """Seal one small payload: here copying it costs less than views of it."""
        size = len(payload)
        padding = 8 - (size + 1) % 8
        if padding < 4:
            padding += 8
        nonce = self.sequence.to_bytes(16, "big")
        self._head.reset_nonce(nonce)
        key = self._start(nonce)
        packet = self._head.update(_U32.pack(1 + size + padding))
        packet += self._body.update(padding.to_bytes(1, "big") + payload + _ZEROS[:padding])
        self.sequence = self.sequence + 1 & 0xFFFFFFFF
        return packet + Poly1305.generate_tag(key, packet)


class ChaChaOpener(_ChaCha, Opener):
    def __init__(self, sequence: int, key: bytes) -> None:
        _ChaCha.__init__(self, key)
        Opener.__init__(self, sequence)

    def length(self, head: memoryview) -> int:
        self._head.reset_nonce(self.sequence.to_bytes(16, "big"))
        return _checked(_U32.unpack(self._head.update(head))[0]) + 20

    def open(self, packet: memoryview) -> bytes:
        end = len(packet) - 16
        key = self._start(self.sequence.to_bytes(16, "big"))
        try:
            Poly1305.verify_tag(key, packet[:end], bytes(packet[end:]))
        except InvalidSignature:
            raise _tampered() from None
        self.sequence = self.sequence + 1 & 0xFFFFFFFF
        return self._body.update(packet[4:end])


class CtrHmacSealer(Sealer):
    block = 16
    length_is_padded = True

    def __init__(self, sequence: int, key: bytes, iv: bytes, mac: HMAC) -> None:
        super().__init__(sequence)
        self._stream = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
        self._mac = mac

    def _protect(self, packet: memoryview, start: int, stop: int, out: memoryview) -> int:
        end = stop - start
        plain = packet[start:stop]
        mac = self._mac.copy()
        mac.update(_U32.pack(self.sequence))
        mac.update(plain)
        self._stream.update_into(plain, out)
        tag = mac.finalize()
        used = end + len(tag)
        out[end:used] = tag
        return used


class CtrHmacOpener(Opener):
    def __init__(self, sequence: int, key: bytes, iv: bytes, mac: HMAC, tag: int) -> None:
        super().__init__(sequence)
        self._stream = Cipher(algorithms.AES(key), modes.CTR(iv)).decryptor()
        self._mac = mac
        self._head = b""
        self.tag = tag

    def length(self, head: memoryview) -> int:
        self._head = self._stream.update(head)
        length = _checked(_U32.unpack(self._head)[0])
        if (length + 4) % 16:
            raise RemoteProtocolError(f"packet length {length} is not a multiple of the cipher's block")
        return length + 4 + self.tag

    def open(self, packet: memoryview) -> bytes:
        end = len(packet) - self.tag
        body = self._stream.update(packet[4:end])
        mac = self._mac.copy()
        mac.update(_U32.pack(self.sequence) + self._head)
        mac.update(body)
        if not hmac.compare_digest(mac.finalize(), packet[end:]):
            raise _tampered()
        self.sequence = self.sequence + 1 & 0xFFFFFFFF
        return body


class CtrEtmSealer(CtrHmacSealer):
    """The MAC is taken over the sequence number, the length in the clear and the enciphered body."""

    length_is_padded = False

    def _protect(self, packet: memoryview, start: int, stop: int, out: memoryview) -> int:
        end = stop - start
        out[:4] = packet[start : start + 4]
        self._stream.update_into(packet[start + 4 : stop], out[4:])
        mac = self._mac.copy()
        mac.update(_U32.pack(self.sequence))
        mac.update(out[:end])
        tag = mac.finalize()
        used = end + len(tag)
        out[end:used] = tag
        return used


class CtrEtmOpener(CtrHmacOpener):
    def length(self, head: memoryview) -> int:
        length = _checked(_U32.unpack(head)[0])
        if length % 16:
            raise RemoteProtocolError(f"packet length {length} is not a multiple of the cipher's block")
        return length + 4 + self.tag

    def open(self, packet: memoryview) -> bytes:
        end = len(packet) - self.tag
        mac = self._mac.copy()
        mac.update(_U32.pack(self.sequence))
        mac.update(packet[:end])
        if not hmac.compare_digest(mac.finalize(), packet[end:]):
            raise _tampered()
        self.sequence = self.sequence + 1 & 0xFFFFFFFF
        return self._stream.update(packet[4:end])


@dataclass(frozen=True, slots=True)
class KeySizes:
    """How many bytes of each kind a cipher and MAC take from the key derivation (RFC 4253 §7.2)."""

    key: int
    iv: int
    mac: int


_ETM: Final = "-etm@openssh.com"
_MAC_HASHES: dict[str, type[SHA256 | SHA512]] = {"hmac-sha2-256": SHA256, "hmac-sha2-512": SHA512}


@dataclass(frozen=True, slots=True)
class Suite:
    """A cipher and, where it needs one, a MAC: what to derive and how to build the two directions."""

    sizes: KeySizes
    sealer: Callable[[int, bytes, bytes, bytes], Sealer]  #: (sequence, key, iv, mac key)
    opener: Callable[[int, bytes, bytes, bytes], Opener]


def suite(cipher: str, mac: str) -> Suite:
    """Return the recipe for a negotiated cipher and MAC ("" where the cipher authenticates by itself)."""
    if cipher == "chacha20-poly1305@openssh.com":
        return Suite(
            KeySizes(64, 0, 0),
            lambda sequence, key, iv, mac_key: ChaChaSealer(sequence, key),
            lambda sequence, key, iv, mac_key: ChaChaOpener(sequence, key),
        )
    key_bytes = int(cipher[3:6]) // 8
    if cipher.endswith("-gcm@openssh.com"):
        return Suite(
            KeySizes(key_bytes, 12, 0),
            lambda sequence, key, iv, mac_key: AesGcmSealer(sequence, key, iv),
            lambda sequence, key, iv, mac_key: AesGcmOpener(sequence, key, iv),
        )
    then_mac = mac.endswith(_ETM)
    sealer, opener = (CtrEtmSealer, CtrEtmOpener) if then_mac else (CtrHmacSealer, CtrHmacOpener)
    hash_class = _MAC_HASHES[mac.removesuffix(_ETM)]
    size = hash_class.digest_size
    return Suite(
        KeySizes(key_bytes, 16, size),
        lambda sequence, key, iv, mac_key: sealer(sequence, key, iv, HMAC(mac_key, hash_class())),
        lambda sequence, key, iv, mac_key: opener(sequence, key, iv, HMAC(mac_key, hash_class()), size),
    )
