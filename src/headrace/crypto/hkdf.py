"""HKDF with SHA-256 (RFC 5869)."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["hkdf_sha256"]


def hkdf_sha256(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """Return `length` bytes (at most 8,160) derived from `secret`, extract and expand in one call."""
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)
