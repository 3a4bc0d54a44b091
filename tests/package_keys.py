"""Keys that tests sign packages with: always the same, so that the packages are the same in every run."""

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from headrace.crypto.rsa_signing import PackageSigningKey

__all__ = ["KEY", "new_key"]

_VECTORS = Path(__file__).parent / "vectors" / "auth_packages.json"

KEY = PackageSigningKey.from_text(json.loads(_VECTORS.read_text())["privateKeyPKCS1"])


def new_key(exponent: int = 65_537) -> PackageSigningKey:
    """Make another key, of the smallest size that is accepted."""
    return PackageSigningKey(rsa.generate_private_key(exponent, 2048))
