"""Host keys: public blobs and signatures from the wire, and private key files."""

from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headrace.base.errors import DocumentError, RemoteProtocolError
from headrace.ssh.algorithms import HOST_KEY_ALGORITHMS
from headrace.ssh.host_keys import HostKey, verify
from headrace.ssh.wire import mpint, string

KEY = HostKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
DATA = b"what was signed"
SIGNATURE = KEY.sign("ssh-ed25519", DATA)
RSA_BLOB = string(b"ssh-rsa") + mpint(65537) + mpint((1 << 2047) + 12345)


def framed(mode: int, blob: bytes, signature: bytes) -> bytes:
    return bytes((mode,)) + len(blob).to_bytes(2, "big") + blob + signature


SEEDS = [
    framed(0, KEY.blob, SIGNATURE),
    framed(1, RSA_BLOB, string(b"rsa-sha2-512") + string(bytes(256))),
    framed(2, RSA_BLOB, string(b"rsa-sha2-256") + string(b"\x01" * 256)),
    b"\x03" + KEY.to_pem().encode(),
    b"\x03"
    + KEY.to_pem().replace("ZXAE", "ZxBC", 1).replace("K2Vw", "K2Vx").encode(),  # an internal error once
    b"\x03-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n",
]


def fuzz(data: bytes) -> None:
    """The first byte picks an algorithm, or the reader of private keys; blob and signature follow."""
    mode, rest = data[:1], data[1:]
    if mode == b"\x03":
        with suppress(DocumentError):
            HostKey.from_pem(rest)
        return
    size = int.from_bytes(rest[:2], "big")
    blob, signature = rest[2 : 2 + size], rest[2 + size :]
    algorithm = HOST_KEY_ALGORITHMS[int.from_bytes(mode, "big") % len(HOST_KEY_ALGORITHMS)]
    try:
        verify(blob, algorithm, signature, DATA)
    except RemoteProtocolError as error:
        assert error.code in (2, 9)
    else:
        assert (blob, signature) == (KEY.blob, SIGNATURE)
