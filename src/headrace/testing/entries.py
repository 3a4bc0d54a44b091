"""Server entries as a network has them, by the thousand: valid, varied, and the same for the same seed.

    lines = encode_list(make_entries(10_000, signing_key=key))

Their addresses are in 127.64.0.0/10: whoever dials one stays on this machine, and is refused unless
something listens there. With `port` every tunnel protocol of theirs is at that port: `dead_ends` has ports to
point them at.
"""

import base64
import ipaddress
from collections.abc import Iterator, Sequence
from typing import Final

from headrace.base.rng import Rng, SeededRng
from headrace.crypto.signing import SigningKey
from headrace.documents.entry_fields import derived_tag
from headrace.documents.entry_signature import sign_entry

__all__ = ["REGIONS", "address_of", "make_entries"]

#: Where servers are; the first ones have more than the last.
REGIONS: Final = (
    "US",
    "DE",
    "NL",
    "GB",
    "FR",
    "CA",
    "SG",
    "JP",
    "SE",
    "CH",
    "ES",
    "IT",
    "PL",
    "IN",
    "BR",
    "AU",
)
_FIRST_ADDRESS: Final = ipaddress.IPv4Address("127.64.0.1")
_RSA_PREFIX: Final = bytes.fromhex("00000007 7373682d727361 00000003 010001 00000101 00")
_MEEK: Final = ("UNFRONTED-MEEK", "UNFRONTED-MEEK-HTTPS", "UNFRONTED-MEEK-SESSION-TICKET", "FRONTED-MEEK")


def address_of(number: int) -> str:
    """Return the address of the entry with this number."""
    return str(_FIRST_ADDRESS + number)


def make_entries(
    count: int,
    *,
    first: int = 0,
    seed: int = 1,
    signing_key: SigningKey | None = None,
    port: int | None = None,
    capabilities: Sequence[str] | None = None,
) -> Iterator[dict[str, object]]:
    """Yield the fields of `count` entries, about 1.7 kB of JSON each, numbered from `first` on.

    An entry depends on its number and the seed alone. Without `capabilities` each has some, OSSH among them.
    """
    for number in range(first, first + count):
        fields = _make_entry(number, SeededRng(f"entry {seed} {number}"), port, capabilities)
        yield sign_entry(fields, signing_key) if signing_key else fields


def _make_entry(
    number: int, rng: Rng, port: int | None, capabilities: Sequence[str] | None
) -> dict[str, object]:
    def some_port() -> int:
        return rng.between(1024, 65_535) if port is None else port

    fields: dict[str, object] = {
        "ipAddress": address_of(number),
        "webServerPort": str(some_port()),
        "webServerSecret": rng.bytes(32).hex(),
        "sshPort": some_port(),
        "sshUsername": "psiphon_" + rng.bytes(8).hex(),
        "sshPassword": rng.bytes(32).hex(),
        "sshHostKey": _base64(_RSA_PREFIX + _modulus(rng)),
        "sshObfuscatedPort": some_port(),
        "sshObfuscatedKey": rng.bytes(32).hex(),
        "capabilities": list(capabilities) if capabilities is not None else _capabilities(rng),
        # The lower of two draws: more servers in the first regions.
        "region": REGIONS[min(rng.between(0, len(REGIONS) - 1), rng.between(0, len(REGIONS) - 1))],
        "providerID": rng.bytes(8).hex().upper(),
        "sshObfuscatedQUICPort": some_port(),
        "meekServerPort": some_port(),
        "meekObfuscatedKey": rng.bytes(32).hex(),
        "meekCookieEncryptionPublicKey": _base64(rng.bytes(32)),
        "tacticsRequestPublicKey": _base64(rng.bytes(32)),
        "tacticsRequestObfuscatedKey": _base64(rng.bytes(32)),
        "configurationVersion": rng.between(0, 3),
    }
    if rng.chance(0.5):
        fields["webServerCertificate"] = _base64(rng.bytes(480))
    fields["tag"] = derived_tag(fields)
    return fields


def _capabilities(rng: Rng) -> list[str]:
    some = ["handshake", "VPN", "SSH", "TLS", "QUIC", *_MEEK]
    return ["ssh-api-requests", "OSSH", *(name for name in some if rng.chance(0.5))]


def _modulus(rng: Rng) -> bytes:
    """Return 2,048 bits that pass for the modulus of a key: large and odd."""
    number = bytearray(rng.bytes(256))
    number[0] |= 0x80
    number[-1] |= 1
    return bytes(number)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
