"""How the first bursts of port forwards are shaped: the policy, and what our two ends say of it.

A stream that is carried as it comes shows the sizes of its messages, and those of a TLS handshake are known.
So our two ends add to its first bursts, break them up, and have each other say something in between. All of
it is in messages that every implementation of SSH ignores (SSH_MSG_IGNORE, RFC 4253 §11.2), and nobody sends
them in this form unless both ends know it:

    client   "shaping-1" among the ClientCapabilities of its log-in
    server   OFFER    kind(1) | "shaping-1" | zeros                as soon as the client is logged in
    client   POLICY   kind(1) | "shaping-1" | policy | zeros       at once: from here on both shape as it says
    either   FILLER   kind(1) | answer(2) | question(2) | zeros
    either   ANSWER   the same

A filler with an `answer` above 0 wants an ANSWER back at once, of so many bytes. If it has a `question` too,
that answer wants one in turn, of so many. Answers come in the order in which they were asked for.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple, Self

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import Rng
from headrace.ssh import numbers
from headrace.ssh.wire import Reader, string

__all__ = [
    "CAPABILITY",
    "DATA_AROUND",
    "GREETING",
    "MOST_DOWN",
    "MOST_UP",
    "SEED_SIZE",
    "Filler",
    "Policy",
    "Range",
    "Step",
    "filler",
    "is_offer",
    "offer",
    "policy_message",
    "read_filler",
    "read_policy",
]


@dataclass(frozen=True, slots=True)
class Range:
    """Sizes in bytes, from the least to the most; two zeros are none at all."""

    least: int = 0
    most: int = 0

    def draw(self, rng: Rng) -> int:
        """Return one of them."""
        return rng.between(self.least, self.most)


#: What a client calls it among its capabilities.
CAPABILITY: Final = "shaping-1"
#: Most bytes that the client's steps add to one stream, and the server's, with the answers that they ask for.
MOST_UP: Final = 2816
MOST_DOWN: Final = 1280
#: Sizes of the offer and of the policy's message.
GREETING: Final = Range(120, 700)
#: Most steps each way.
MOST_STEPS: Final = 8
#: What a message with data has around it once sealed with ChaCha20-Poly1305: numbers, lengths, padding, tag.
_AROUND: Final = 30
DATA_AROUND: Final = 36
#: Bytes of a policy's seed.
SEED_SIZE: Final = 16

_NONE: Final = Range()
#: Where an ignored message's data begins: behind its number and length. The length is nobody's business.
_DATA: Final = 5
_FILLER: Final = struct.Struct(">BHH")
_RANGE: Final = struct.Struct(">HH")


class _Kind(IntEnum):
    FILLER = 0
    ANSWER = 1
    OFFER = 2
    POLICY = 3


_OFFER: Final = bytes((_Kind.OFFER,)) + CAPABILITY.encode()
_POLICY: Final = bytes((_Kind.POLICY,)) + CAPABILITY.encode()


class Filler(NamedTuple):
    """What a filler asks for, in bytes, and whether it is an answer itself."""

    is_answer: bool
    answer: int
    question: int


@dataclass(frozen=True, slots=True)
class Step:
    """What is done to one burst of a stream.

    A burst is filled up to `fill`, as far as one can tell from its first piece. One that is larger than `cut`
    stops there until the peer has answered.
    """

    fill: Range = _NONE
    answer: Range = _NONE  #: what the peer is to say at once
    question: Range = _NONE  #: what we say to that
    cut: Range = _NONE

    @property
    def ranges(self) -> tuple[Range, ...]:
        return self.fill, self.answer, self.question, self.cut


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
        parts = [self.seed]
        for way in (self.up, self.down):
            parts.append(bytes((len(way),)))
            parts += [_RANGE.pack(one.least, one.most) for step in way for one in step.ranges]
        return b"".join(parts)

    @classmethod
    def decode(cls, data: memoryview) -> Self:
        """Read what `encode` returned, and more behind it. Raises RemoteProtocolError."""
        reader = Reader(data)
        seed = bytes(reader.take(SEED_SIZE))
        return cls(seed, _read_steps(reader), _read_steps(reader))


def _read_steps(reader: Reader) -> tuple[Step, ...]:
    count = reader.u8()
    if count > MOST_STEPS:
        raise RemoteProtocolError(f"a policy of {count} steps")
    return tuple(Step(*(_read_range(reader) for _ in range(4))) for _ in range(count))


def _read_range(reader: Reader) -> Range:
    least, most = _RANGE.unpack(reader.take(_RANGE.size))
    if least > most:
        raise RemoteProtocolError(f"a policy with sizes from {least} to {most}")
    return Range(least, most)


# TLS's handshake is a message of a few hundred bytes, an answer of a few thousand, then two small ones.
# So the client's messages are filled until they are larger, and what should follow them is broken up.
_FILLED: Final = Range(900, 1440)
_ASIDE: Final = Range(100, 210)
_UP: Final = (
    Step(fill=_ASIDE),  # the request to open
    Step(fill=_FILLED, answer=_ASIDE, question=_ASIDE),
    Step(fill=_FILLED),
    Step(fill=_FILLED),
    Step(fill=_FILLED),
)
_DOWN: Final = (
    Step(fill=_ASIDE),  # the confirmation
    Step(fill=_FILLED, answer=_ASIDE, cut=Range(500, 2000)),
    Step(fill=Range(400, 1440)),
    Step(fill=Range(400, 1440)),
)


def filler(size: int, answer: int = 0, question: int = 0, *, is_answer: bool = False) -> bytes:
    """Return the payload of a filler or answer that adds about `size` bytes to what is sent."""
    kind = _Kind.ANSWER if is_answer else _Kind.FILLER
    return _ignored(_FILLER.pack(kind, answer, question), size)


def offer(size: int) -> bytes:
    """Return the payload of the server's offer, of about `size` bytes as sent."""
    return _ignored(_OFFER, size)


def policy_message(policy: Policy, size: int) -> bytes:
    """Return the payload that tells the server of the policy, of about `size` bytes as sent."""
    return _ignored(_POLICY + policy.encode(), size)


def _ignored(data: bytes, size: int) -> bytes:
    return bytes((numbers.IGNORE,)) + string(data.ljust(size - _AROUND, b"\0"))


def is_offer(payload: memoryview) -> bool:
    """Say whether an ignored message is a server's offer."""
    return payload[_DATA : _DATA + len(_OFFER)] == _OFFER


def read_policy(payload: memoryview) -> Policy | None:
    """Return the policy that an ignored message tells of, None if it is about something else.

    Raises RemoteProtocolError for a policy that cannot be followed.
    """
    data = payload[_DATA:]
    return Policy.decode(data[len(_POLICY) :]) if data[: len(_POLICY)] == _POLICY else None


def read_filler(payload: memoryview) -> Filler | None:
    """Return what an ignored message asks for, None if it is no filler of ours."""
    data = payload[_DATA:]
    if len(data) < _FILLER.size or data[0] > _Kind.ANSWER:
        return None
    kind, answer, question = _FILLER.unpack_from(data)
    return Filler(kind == _Kind.ANSWER, answer, question)
