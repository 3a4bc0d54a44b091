"""Certificate chains that are as long as websites' are."""

import ssl
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography import x509

from headrace.resist.certificates import KINDS, write_chain


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_can_use_it(kind: str, tmp_path: Path) -> None:
    files = write_chain(tmp_path, kind)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.chain, files.key)
    certificates = x509.load_pem_x509_certificates(files.chain.read_bytes())
    assert len(certificates) == 1 + KINDS[kind].above
    for lower, upper in pairwise(certificates):
        lower.verify_directly_issued_by(upper)


def test_kinds_differ_in_size(tmp_path: Path) -> None:
    sizes = {kind: write_chain(tmp_path, kind).chain.stat().st_size * 3 // 4 for kind in KINDS}
    assert (
        1200 < sizes["elliptic"] < sizes["rsa"] < sizes["rsa-cross-signed"] < sizes["rsa-many-names"] < 7000
    )
