"""How the first bursts of port forwards are shaped: the policy, and what our two ends say of it.

A stream that is carried as it comes shows the sizes of its messages, for instance those of a TLS handshake.
So our two ends add to its first bursts, break them up, and have each other say something in between. All of
it is in messages that every implementation of SSH ignores (SSH_MSG_IGNORE, RFC 4253 §11.2), and nobody sends
them in this form unless both ends know it:

    client   "shaping-1" among the ClientCapabilities of its log-in
    server   OFFER    kind(1) | "shaping-1"                    as soon as the client is logged in
    client   POLICY   kind(1) | "shaping-1" | policy           at once: from here on both shape as it says
    either   FILLER   kind(1) | answer(2) | question(2) | zeros
    either   ANSWER   the same

A filler with an `answer` above 0 wants an ANSWER back at once, of so many bytes. If it has a `question` too,
that answer wants one in turn, of so many. Answers come in the order in which they were asked for.
"""

import struct
from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import Final, NamedTuple, Self

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import Rng
from headrace.ssh import numbers
from headrace.ssh.wire import Reader, string

__all__ = [
    "CAPABILITY",
    "MOST_ADDED",
    "SEED_SIZE",
    "Filler",
    "Policy",
    "Step",
    "filler",
    "is_offer",
    "offer",
    "policy_message",
    "read_filler",
    "read_policy",
]

#: What a client calls it among its capabilities.
CAPABILITY: Final = "shaping-1"
#: Most bytes that a policy may have both ends add to one stream.
MOST_ADDED: Final = 4096
#: Most steps each way.
MOST_STEPS: Final = 8
#: What a message with data has around it once sealed with ChaCha20-Poly1305: numbers, lengths, padding, tag.
_AROUND: Final = 30
#: Bytes of a policy's seed.
SEED_SIZE: Final = 16

_IGNORE: Final = bytes((numbers.IGNORE,))
_NAME: Final = CAPABILITY.encode()
_FILLER: Final = struct.Struct(">BHH")
_STEP: Final = struct.Struct(">HHHH")


class _Kind(IntEnum):
    FILLER = 0
    ANSWER = 1
    OFFER = 2
    POLICY = 3


class Filler(NamedTuple):
    """What a filler asks for, in bytes, and whether it is an answer itself."""

    is_answer: bool
    answer: int
    question: int


@dataclass(frozen=True, slots=True)
class Step:
    """What is done to one burst of a stream: sizes in bytes, each drawn between a quarter of it and all.

    A burst of more than `cut` bytes stops there until the peer has answered; 0 leaves it whole.
    """

    filler: int = 0  #: added to the burst
    answer: int = 0  #: what the peer is to say at once
    question: int = 0  #: what we say to that
    cut: int = 0

    def draw(self, rng: Rng) -> Self:
        """Return what to do this time."""
        return type(self)(*(rng.between(most // 4, most) for most in astuple(self)))


_UP: Final = (Step(filler=700, answer=500, question=500), Step(filler=400, answer=200, question=200))
_DOWN: Final = (Step(filler=600, answer=300, cut=2000),)


@dataclass(frozen=True, slots=True)
class Policy:
    """How the first bursts of every stream are shaped: up are the client's, down the server's.

    Both ends draw from the seed, so that a dial that is made again shapes its streams alike.
    """

    seed: bytes
    up: tuple[Step, ...] = ()
    down: tuple[Step, ...] = ()

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        """Return the policy that our clients ask for."""
        return cls(rng.bytes(SEED_SIZE), _UP, _DOWN)

    def encode(self) -> bytes:
        """Return it as it goes over the wire: the seed, then both ways' number of steps and the steps."""
        ways = (
            bytes((len(way),)) + b"".join(_STEP.pack(*astuple(step)) for step in way) for way in self._ways
        )
        return self.seed + b"".join(ways)

    @classmethod
    def decode(cls, data: memoryview) -> Self:
        """Read what `encode` returned. Raises RemoteProtocolError, also for a policy that adds too much."""
        reader = Reader(data)
        seed = bytes(reader.take(SEED_SIZE))
        ways = []
        for _ in range(2):
            count = reader.u8()
            if count > MOST_STEPS:
                raise RemoteProtocolError(f"a policy of {count} steps")
            ways.append(tuple(Step(*_STEP.unpack(reader.take(_STEP.size))) for _ in range(count)))
        reader.check_end()
        policy = cls(seed, *ways)
        if policy.most_added > MOST_ADDED:
            raise RemoteProtocolError(f"a policy that adds {policy.most_added} bytes to a stream")
        return policy

    @property
    def most_added(self) -> int:
        """The most bytes that are added to one stream, both ways together."""
        return sum(step.filler + step.answer + step.question for way in self._ways for step in way)

    @property
    def _ways(self) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        return self.up, self.down


def filler(size: int, answer: int = 0, question: int = 0, *, is_answer: bool = False) -> bytes:
    """Return the payload of a filler or answer that adds about `size` bytes to what is sent."""
    kind = _Kind.ANSWER if is_answer else _Kind.FILLER
    return _IGNORE + string(_FILLER.pack(kind, answer, question).ljust(max(0, size - _AROUND), b"\0"))


def offer() -> bytes:
    """Return the payload of the server's offer."""
    return _IGNORE + string(bytes((_Kind.OFFER,)) + _NAME)


def policy_message(policy: Policy) -> bytes:
    """Return the payload that tells the server of the policy."""
    return _IGNORE + string(bytes((_Kind.POLICY,)) + _NAME + policy.encode())


def is_offer(payload: memoryview) -> bool:
    """Say whether an ignored message is a server's offer."""
    return payload == offer()


def read_policy(payload: memoryview) -> Policy | None:
    """Return the policy that an ignored message tells of, None if it is about something else.

    Raises RemoteProtocolError for a policy that cannot be followed.
    """
    head = bytes((_Kind.POLICY,)) + _NAME
    data = Reader(payload[1:]).string()
    return Policy.decode(data[len(head) :]) if data[: len(head)] == head else None


def read_filler(payload: memoryview) -> Filler | None:
    """Return what an ignored message asks for, None if it is no filler of ours."""
    data = Reader(payload[1:]).string()
    if len(data) < _FILLER.size or data[0] > _Kind.ANSWER:
        return None
    kind, answer, question = _FILLER.unpack_from(data)
    return Filler(kind == _Kind.ANSWER, answer, question)
