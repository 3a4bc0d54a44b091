"""Which algorithms there are, what we offer, and how two offers become one choice (RFC 4253 §7.1).

An offer is what one KEXINIT says. Ours are symmetric: the same ciphers and MACs both ways. Compression is
always "none". SHA-1 is nowhere in these lists, so it can never be the outcome.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import Rng
from headrace.ssh import numbers
from headrace.ssh.wire import Reader, boolean, name_list, u32

__all__ = [
    "AEAD_CIPHERS",
    "CIPHERS_HIDING_LENGTHS",
    "ETM_MACS",
    "HOST_KEY_ALGORITHMS",
    "KEX_METHODS",
    "MACS",
    "OBFUSCATED",
    "PLAIN",
    "STRICT_CLIENT",
    "STRICT_SERVER",
    "Choice",
    "KexInit",
    "Offer",
    "negotiate",
]

#: Key exchange methods, strongest and quickest first.
KEX_METHODS = (
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group14-sha256",
)
HOST_KEY_ALGORITHMS = ("ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256")
MACS = ("hmac-sha2-256", "hmac-sha2-512")
#: Encrypt-then-MAC shows packet lengths: for plain SSH only, where some servers want nothing else.
ETM_MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com")
AEAD_CIPHERS = ("chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
_CTR_CIPHERS = ("aes128-ctr", "aes192-ctr", "aes256-ctr")

#: Ciphers that encipher the packet length too, so that the stream cannot be walked (resistance spec, F7).
CIPHERS_HIDING_LENGTHS = frozenset((AEAD_CIPHERS[0], *_CTR_CIPHERS))

#: Markers of strict key exchange (OpenSSH PROTOCOL §1.10); they are no algorithms and are never chosen.
STRICT_CLIENT = "kex-strict-c-v00@openssh.com"
STRICT_SERVER = "kex-strict-s-v00@openssh.com"


@dataclass(frozen=True, slots=True)
class Offer:
    """What we are willing to use, in order of preference."""

    kex: tuple[str, ...] = KEX_METHODS
    host_keys: tuple[str, ...] = HOST_KEY_ALGORITHMS
    ciphers: tuple[str, ...] = (*AEAD_CIPHERS, *_CTR_CIPHERS)
    macs: tuple[str, ...] = MACS
    strict: bool = True

    def hiding_lengths_from(self, peer: "KexInit") -> "Offer":
        """Return this offer without the ciphers that show packet lengths, if the peer has any other.

        Both directions count: the peer must be able to hide lengths in each, and a cipher that needs a MAC is
        of use only where there is a MAC in common.
        """
        have_mac = all(set(self.macs).intersection(names) for names in peer.macs)
        usable = tuple(cipher for cipher in self.ciphers if have_mac or cipher in AEAD_CIPHERS)
        hiding = tuple(cipher for cipher in usable if cipher in CIPHERS_HIDING_LENGTHS)
        if all(set(hiding).intersection(names) for names in peer.ciphers):
            return replace(self, ciphers=hiding)
        return replace(self, ciphers=usable)


#: Under obfuscation the whole stream must look random: enciphered lengths come first.
OBFUSCATED = Offer(ciphers=(AEAD_CIPHERS[0], *_CTR_CIPHERS, *AEAD_CIPHERS[1:]))
#: Plain SSH should be quick and look like everybody else's.
PLAIN = Offer(
    ciphers=(AEAD_CIPHERS[1], AEAD_CIPHERS[2], AEAD_CIPHERS[0], *_CTR_CIPHERS), macs=(*MACS, *ETM_MACS)
)


@dataclass(frozen=True, slots=True)
class KexInit:
    """The contents of SSH_MSG_KEXINIT. Pairs are (client to server, server to client)."""

    cookie: bytes
    kex: tuple[str, ...]
    host_keys: tuple[str, ...]
    ciphers: tuple[tuple[str, ...], tuple[str, ...]]
    macs: tuple[tuple[str, ...], tuple[str, ...]]
    compression: tuple[tuple[str, ...], tuple[str, ...]] = (("none",), ("none",))
    guessed: bool = False

    @classmethod
    def from_offer(cls, offer: Offer, rng: Rng, *, client: bool, first: bool) -> "KexInit":
        """Turn an offer into a message; the strict marker goes only into a connection's `first` one."""
        marker = (STRICT_CLIENT if client else STRICT_SERVER,) if offer.strict and first else ()
        return cls(
            cookie=rng.bytes(16),
            kex=offer.kex + marker,
            host_keys=offer.host_keys,
            ciphers=(offer.ciphers, offer.ciphers),
            macs=(offer.macs, offer.macs),
        )

    @classmethod
    def parse(cls, payload: bytes | memoryview) -> "KexInit":
        """Read a whole message, its number included. Raises RemoteProtocolError."""
        reader = Reader(payload)
        if reader.u8() != numbers.KEXINIT:
            raise RemoteProtocolError("not a key exchange initialisation", numbers.KEY_EXCHANGE_FAILED)
        cookie = reader.bytes(16)
        lists = [reader.name_list() for _ in range(10)]
        guessed = reader.boolean()
        reader.u32()  # reserved
        return cls(
            cookie=cookie,
            kex=lists[0],
            host_keys=lists[1],
            ciphers=(lists[2], lists[3]),
            macs=(lists[4], lists[5]),
            compression=(lists[6], lists[7]),
            guessed=guessed,
        )

    def encode(self) -> bytes:
        """Return the whole message, its number included."""
        lists = (self.kex, self.host_keys, *self.ciphers, *self.macs, *self.compression, (), ())
        head = bytes((numbers.KEXINIT,)) + self.cookie
        return head + b"".join(map(name_list, lists)) + boolean(self.guessed) + u32(0)


@dataclass(frozen=True, slots=True)
class Choice:
    """What both sides will use. Pairs are (client to server, server to client)."""

    kex: str
    host_key: str
    ciphers: tuple[str, str]
    macs: tuple[str, str]  #: "" where the cipher authenticates by itself


def negotiate(client: KexInit, server: KexInit) -> Choice:
    """Return the first of the client's names that the server has too, for each kind.

    Raises RemoteProtocolError (code 3) naming the kind that has no common member.
    """

    def first(kind: str, wanted: Sequence[str], offered: Sequence[str]) -> str:
        for name in wanted:
            if name in offered and name not in (STRICT_CLIENT, STRICT_SERVER):
                return name
        raise RemoteProtocolError(f"no common {kind} algorithm", numbers.KEY_EXCHANGE_FAILED)

    ciphers = (
        first("cipher", client.ciphers[0], server.ciphers[0]),
        first("cipher", client.ciphers[1], server.ciphers[1]),
    )
    for way in (0, 1):
        first("compression", client.compression[way], server.compression[way])
    return Choice(
        kex=first("key exchange", client.kex, server.kex),
        host_key=first("host key", client.host_keys, server.host_keys),
        ciphers=ciphers,
        macs=(
            "" if ciphers[0] in AEAD_CIPHERS else first("MAC", client.macs[0], server.macs[0]),
            "" if ciphers[1] in AEAD_CIPHERS else first("MAC", client.macs[1], server.macs[1]),
        ),
    )
