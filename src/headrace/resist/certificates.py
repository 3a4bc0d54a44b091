"""Certificate chains of the sizes that websites have, which nobody trusts.

What makes a server's first flight as long as it is: one or two certificates above the site's own, RSA keys or
elliptic ones, many names or few, time stamps of transparency logs and addresses of the authority.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

__all__ = ["KINDS", "Chain", "write_chain"]

_Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

#: Signed time stamps of transparency logs: about 120 bytes each. Nothing here checks them.
_TIME_STAMPS: Final = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_TIME_STAMP_SIZE: Final = 120


@dataclass(frozen=True, slots=True)
class _Kind:
    elliptic: bool
    above: int  # certificates sent above the site's own
    names: int
    time_stamps: int


#: Kinds of chains by name.
KINDS: Final = {
    "elliptic": _Kind(True, 1, 2, 2),
    "elliptic-many-names": _Kind(True, 2, 60, 3),
    "rsa": _Kind(False, 1, 2, 2),
    "rsa-cross-signed": _Kind(False, 2, 4, 2),
    "rsa-many-names": _Kind(False, 2, 80, 3),
}


@dataclass(frozen=True, slots=True)
class Chain:
    """A server's certificates, its own first, and its private key, as PEM files."""

    chain: Path
    key: Path


def write_chain(directory: Path, kind: str) -> Chain:
    """Make the files of a chain of that kind of KINDS."""
    wanted = KINDS[kind]
    issuer, issuer_key = _name("Root X9"), _new_key(elliptic=False)
    certificates = []
    for number in range(wanted.above):
        name, key = _name(f"Authority R{number}"), _new_key(elliptic=wanted.elliptic)
        basic = x509.BasicConstraints(ca=True, path_length=0)
        builder = _builder(name, issuer, key).add_extension(basic, critical=True)
        certificates.append(builder.sign(issuer_key, hashes.SHA256()))
        issuer, issuer_key = name, key
    key = _new_key(elliptic=wanted.elliptic)
    names = [x509.DNSName(f"service-{number}.example.com") for number in range(wanted.names)]
    stamps = secrets.token_bytes(wanted.time_stamps * _TIME_STAMP_SIZE)
    builder = (
        _builder(_name("example.com"), issuer, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.UnrecognizedExtension(_TIME_STAMPS, stamps), critical=False)
    )
    certificates.append(builder.sign(issuer_key, hashes.SHA256()))
    files = Chain(directory / f"{kind}.pem", directory / f"{kind}.key")
    files.chain.write_bytes(b"".join(made.public_bytes(Encoding.PEM) for made in reversed(certificates)))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def _builder(subject: x509.Name, issuer: x509.Name, key: _Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    places = (AuthorityInformationAccessOID.OCSP, AuthorityInformationAccessOID.CA_ISSUERS)
    access = [
        x509.AccessDescription(place, x509.UniformResourceIdentifier("http://r3.authority.example/"))
        for place in places
    ]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=60))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(secrets.token_bytes(20), None, None), critical=False)
        .add_extension(x509.AuthorityInformationAccess(access), critical=False)
    )


def _new_key(*, elliptic: bool) -> _Key:
    return ec.generate_private_key(ec.SECP256R1()) if elliptic else rsa.generate_private_key(65537, 2048)


def _name(text: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "XX"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Certificates for Everybody"),
            x509.NameAttribute(NameOID.COMMON_NAME, text),
        ]
    )
