"""Attack: use one key against others, guess keys, steal a server's and read what was recorded (K1 to K5).

The thief here is real code: given the secret of a key exchange it reads a recorded tunnel, which is the
control. With everything that is on a server it does not.
"""

import asyncio
import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from tests.memory_network import MemoryServer, Network, make_tunnel

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.crypto import Rc4, derive_key
from headrace.obfuscation.default_prefix import default_server_prefixes
from headrace.obfuscation.preamble import (
    CLIENT_TO_SERVER,
    HEAD_SIZE,
    MAGIC,
    SEED_SIZE,
    SERVER_TO_CLIENT,
    terminator,
)
from headrace.obfuscation.seed_history import SeedMemory
from headrace.obfuscation.server import Accepted, Reject, ServerObfuscator
from headrace.resist.probes.recording import Client
from headrace.ssh import key_exchange, numbers
from headrace.ssh.algorithms import KexInit, negotiate
from headrace.ssh.clear import ClearInput
from headrace.ssh.kex_methods import kex_method
from headrace.ssh.key_exchange import Keys
from headrace.ssh.wire import Reader, mpint, string

KEYS = 2000
PREFIXES = default_server_prefixes()


def keywords(count: int, seed: int) -> Iterator[bytes]:
    rng = SeededRng(seed)
    return (rng.bytes(32).hex().encode() for _ in range(count))


def judge(keyword: bytes, data: bytes) -> Accepted | Reject | None:
    """Return what a server with this key makes of it, which has seen nobody yet."""
    seeds = SeedMemory()
    obfuscator = ServerObfuscator(keyword, SeededRng(1), lambda seed: seeds.seen(seed, 0.0), PREFIXES)
    return obfuscator.receive(data)


# ---- K1, K2: one key against others -----------------------------------------------------------------------


@pytest.mark.parametrize("prefixed", [False, True], ids=["bare", "prefixed"])
def test_what_one_server_accepts_is_rejected_under_thousands_of_other_keys(prefixed: bool) -> None:
    """One ciphertext that many keys accept would let a prober test as many guesses at once (K1)."""
    ours = b"0123456789abcdef" * 4
    data = Client(ours).record(SeededRng(2), prefixed=prefixed).data
    assert isinstance(judge(ours, data), Accepted)
    assert not any(isinstance(judge(other, data), Accepted) for other in keywords(KEYS, 3))


def test_a_stolen_key_says_nothing_about_flows_to_another_server() -> None:
    """No magic and no terminator of the stolen key is in them, and what it deciphers is noise (K2)."""
    stolen, *others = keywords(501, 4)
    rng = SeededRng(5)
    counts = [0] * 256
    for number, other in enumerate(others):
        recording = Client(other).record(rng, prefixed=bool(number % 2))
        assert terminator(stolen, recording.data[:HEAD_SIZE], CLIENT_TO_SERVER) not in recording.data
        start = recording.data[recording.prefix :]
        clear = Rc4(derive_key(start[:SEED_SIZE], stolen, CLIENT_TO_SERVER)).update(start[SEED_SIZE:])
        assert not clear.startswith(MAGIC)
        for value in clear[:64]:
            counts[value] += 1
    expected = sum(counts) / 256
    chi_square = sum((count - expected) ** 2 / expected for count in counts)
    assert 150 < chi_square < 380, "255 degrees of freedom"


# ---- K3: what is changed on its way -----------------------------------------------------------------------


def test_a_changed_preamble_is_refused_or_changes_nothing_but_padding() -> None:
    """RC4 has no integrity: what a change may do at most is stated here, bit by bit (K3)."""
    ours = b"0123456789abcdef" * 4
    recording = Client(ours).record(SeededRng(6), prefixed=False, padding=40)
    for place in range(len(recording.data)):
        for bit in range(8):
            changed = bytearray(recording.data)
            changed[place] ^= 1 << bit
            outcome = judge(ours, bytes(changed))
            if place >= HEAD_SIZE:
                assert isinstance(outcome, Accepted), "padding: any bytes will do"
            else:
                assert not isinstance(outcome, Accepted) or outcome.padding_length < 40


# ---- K4, K5: what was recorded ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Half:
    """One direction of a recorded tunnel, its veil taken off with the server's key."""

    identification: bytes
    init: bytes
    message: bytes  # of the key exchange: its public value is in it
    protected: bytes  # all that follows NEWKEYS


def unveil(stream: bytes, label: bytes, seed: bytes, keyword: bytes) -> Half:
    class Thief:
        """Takes the veil off."""

        def __init__(self) -> None:
            self._stream = Rc4(derive_key(seed, keyword, label))

        def hide(self, data: bytes) -> bytes:
            raise NotImplementedError

        def reveal(self, data: bytes | memoryview) -> bytes:
            return self._stream.update(data)

        def extra_padding(self, padding: int) -> int:
            raise NotImplementedError

        def peer_identification(self, line: bytes) -> None:
            pass

    veil = Thief()
    body = stream
    if label == CLIENT_TO_SERVER:
        head = veil.reveal(stream[SEED_SIZE:HEAD_SIZE])
        assert head.startswith(MAGIC)
        padding = int.from_bytes(head[len(MAGIC) :], "big")
        veil.reveal(stream[HEAD_SIZE : HEAD_SIZE + padding])
        body = stream[HEAD_SIZE + padding :]
    clear = ClearInput(veil)
    clear.feed(body)
    identification = clear.identification(lines_before=True)
    assert identification is not None
    payloads: list[bytes] = []
    while not payloads or payloads[-1][0] != numbers.NEWKEYS:
        payload = clear.payload()
        assert payload is not None
        payloads.append(payload)
    init = next(payload for payload in payloads if payload[0] == numbers.KEXINIT)
    message = next(payload for payload in payloads if payload[0] in (numbers.KEX_INIT, numbers.KEX_REPLY))
    return Half(identification, init, message, body[len(body) - clear.leftover :])


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded tunnel in the hands of whoever has the server's obfuscation key."""

    up: Half
    down: Half

    @classmethod
    def steal(cls, sent: bytes, received: bytes, keyword: bytes) -> "Recorded":
        seed = sent[:SEED_SIZE]
        return cls(
            unveil(sent, CLIENT_TO_SERVER, seed, keyword), unveil(received, SERVER_TO_CLIENT, seed, keyword)
        )

    @property
    def public_values(self) -> list[bytes]:
        """The client's, the server's."""
        reply = self._fields(self.down.message)
        return [*self._fields(self.up.message), reply[1]]

    def read(self, secret: bytes) -> bytes | None:
        """Return what the client sent behind NEWKEYS if this, as it enters the hash, is the secret."""
        choice = negotiate(KexInit.parse(self.up.init), KexInit.parse(self.down.init))
        method = kex_method(choice.kex)
        blob, reply, _ = self._fields(self.down.message)
        (initial,) = self._fields(self.up.message)
        parts = (
            *(self.up.identification, self.down.identification),
            *(self.up.init, self.down.init),
            *(blob, initial, reply),
        )
        exchange_hash = method.digest(b"".join(map(string, parts)) + secret)
        opener = Keys(method, choice, False, secret, exchange_hash, exchange_hash).opener(0)
        rest, clear = memoryview(self.up.protected), b""
        try:
            while len(rest) >= 4 and (size := opener.length(rest[:4])) <= len(rest):
                clear += opener.open(rest[:size])
                rest = rest[size:]
        except RemoteProtocolError:
            return None
        return clear or None

    @staticmethod
    def _fields(message: bytes) -> list[bytes]:
        reader = Reader(message)
        reader.u8()
        fields = []
        while reader.remaining:
            fields.append(bytes(reader.string()))
        return fields


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The secrets of all key exchanges, which nobody but the two ends ever has."""
    seen: list[bytes] = []

    class Spied(Keys):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)  # type: ignore[arg-type]
            seen.append(self.secret)

    monkeypatch.setattr(key_exchange, "Keys", Spied)
    return seen


def guesses(server: MemoryServer, public_values: Iterable[bytes]) -> Iterator[bytes]:
    """Everything that is on the server, as if it were the secret or the server's half of it."""
    shared = server.worker.shared
    scalars = [shared.keyword[:32], shared.password.encode()[:32].ljust(32, b"0")]
    host_key = base64.b64decode("".join(shared.host_key.to_pem().splitlines()[1:-1]))
    scalars += [host_key[-32:], host_key[-64:-32].rjust(32)]
    for scalar in scalars:
        yield mpint(int.from_bytes(scalar, "big"))
        yield string(scalar)
        for value in public_values:
            point = X25519PublicKey.from_public_bytes(value[-32:])
            yield mpint(int.from_bytes(X25519PrivateKey.from_private_bytes(scalar).exchange(point), "big"))


@pytest.mark.virtual_time
async def test_a_stolen_server_does_not_decipher_what_was_recorded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secrets: list[bytes]
) -> None:
    network = Network.install(monkeypatch)
    server = MemoryServer(network, tmp_path)
    bare = [name for name in server.entry.capabilities if not name.startswith("shipped-prefixes")]
    tunnel = make_tunnel(server.entry, change={"capabilities": bare})
    await tunnel.connect()
    near, far = network.wires
    keyword, password = server.worker.shared.keyword, server.worker.shared.password.encode()
    sent, received = bytes(near.written), bytes(far.written)
    recorded = Recorded.steal(sent, received, keyword)

    for value in recorded.public_values:
        assert value not in sent + received, "nothing of the key exchange is in the clear (K4)"
    assert [guess for guess in guesses(server, recorded.public_values) if recorded.read(guess)] == []

    assert len(set(secrets)) == 1
    control = recorded.read(secrets[0])
    assert control is not None, "the thief can read what he has the secret of"
    assert password in control
    tunnel.abort()
    await asyncio.sleep(0)
