"""Thin wrappers over proven primitives, each pinned by known-answer tests.

`rc4` and `obfuscation_key` serve the obfuscation layer, `hkdf` its prefix terminators, `signing` the
server entries, `rsa_signing` the packages that carry them; `shamir`, `secret_box` and `key_stream` serve the
obfuscated lists. They hide which library does the work; `shamir`, for which there is none, is the only one
with mathematics of its own.
"""

from headrace.crypto.hkdf import hkdf_sha256
from headrace.crypto.obfuscation_key import derive_key
from headrace.crypto.rc4 import Rc4
from headrace.crypto.signing import SigningKey, VerifyingKey

__all__ = ["Rc4", "SigningKey", "VerifyingKey", "derive_key", "hkdf_sha256"]
