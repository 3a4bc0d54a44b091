"""Thin wrappers over proven primitives, each pinned by known-answer tests.

`rc4` and `obfuscation_key` serve the obfuscation layer, `hkdf` its prefix terminators, `signing` the
server entries, `rsa_signing` the packages that carry them. They hide which library does the work; they add
no cryptography of their own.
"""

from headrace.crypto.hkdf import hkdf_sha256
from headrace.crypto.obfuscation_key import derive_key
from headrace.crypto.rc4 import Rc4
from headrace.crypto.signing import SigningKey, VerifyingKey

__all__ = ["Rc4", "SigningKey", "VerifyingKey", "derive_key", "hkdf_sha256"]
