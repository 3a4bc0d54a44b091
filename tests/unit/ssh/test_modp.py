"""The primes are those printed in RFC 3526: SHA-256 of their big-endian bytes."""

import hashlib

import pytest

from headrace.ssh.modp import modp_prime


@pytest.mark.parametrize(
    ("group", "bits", "digest"),
    [
        (14, 2048, "d66436f79bbd6b2e38c0ffbd079be904d2641415e2e67140e09448be9a60890e"),
        (16, 4096, "4ee95187682bcb230ad26a95205f6920e84708f6251b3894329b09ec23919e33"),
    ],
)
def test_primes(group: int, bits: int, digest: str) -> None:
    prime = modp_prime(group)
    assert prime.bit_length() == bits
    assert hashlib.sha256(prime.to_bytes(bits // 8, "big")).hexdigest() == digest


def test_other_groups_are_unknown() -> None:
    with pytest.raises(KeyError):
        modp_prime(1)
