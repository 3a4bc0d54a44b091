"""One end of a connection whose streams are shaped as a policy says (`shaping`).

    Shaper            the connection: agrees on the policy, answers the peer's fillers
    └── StreamShape   what we send on one channel: fillers beside it, and holds, until the policy's steps are
                      over; then the channel has none any more and costs what others cost

A burst is what a channel sends until it receives something again. What the application wrote is never kept
here: while a burst is held its channel has no room, as if the peer's window were full.

The request to open a stream and its confirmation are always filled. What comes then is shaped if the stream's
first data is that of a TLS client: what else there is has no handshake to hide, and should not pay for one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from headrace.base.rng import Rng, SeededRng
from headrace.ssh import numbers
from headrace.ssh.shaping import (
    DATA_AROUND,
    GREETING,
    MOST_DOWN,
    MOST_UP,
    Policy,
    Step,
    filler,
    is_offer,
    offer,
    policy_message,
    read_filler,
    read_policy,
)

if TYPE_CHECKING:
    from headrace.ssh.channel import Channel
    from headrace.ssh.transport import Transport

__all__ = ["MOST_DUE", "ClientShaper", "ServerShaper", "Shaper", "StreamShape"]

_ANY: Final = 1 << 32  # bytes that no window has
_OPEN: Final = 56  # bytes of a request to open, without what data has around it too
_TLS: Final = b"\x16\x03"  # how a TLS client begins: a handshake's record, of any version (RFC 8446 §5.1)
#: Answers that may be due at once; a peer that owes us so many is asked for no more, nor waited for.
MOST_DUE: Final = 512


class Shaper:
    """What both ends have in common. Nothing is shaped before there is a policy."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._rng: Rng | None = None
        self._steps: tuple[Step, ...] = ()
        self._asked: deque[StreamShape | None] = deque()  # for each answer to come, who waits for it
        self._allowance = 0  # bytes that the peer may still have us answer with
        transport.table[numbers.IGNORE] = self._on_ignore

    def begin(self, channel: Channel) -> None:
        """Shape what is sent on a channel that has sent nothing yet."""
        if self._rng is not None:
            self._allowance += MOST_UP + MOST_DOWN
            channel.shape = StreamShape(self, channel, self._steps, self._rng, self._budget)
            if self.client:
                channel.shape.sent(_OPEN)

    @property
    def client(self) -> bool:
        """Whether this end is the client's."""
        return self._transport.client

    def say(self, size: int, answer: int, question: int, waiting: StreamShape | None = None) -> None:
        """Send a filler of about `size` bytes; an `answer` to it releases who is `waiting`."""
        if answer:
            self._asked.append(waiting)
        self._transport.send(filler(size, answer, question))

    @property
    def may_ask(self) -> bool:
        """Whether the peer answers: what waits for it is kept, and must not pile up."""
        return len(self._asked) < MOST_DUE

    @property
    def _budget(self) -> int:
        """Bytes that our steps may add to a stream."""
        return MOST_UP if self.client else MOST_DOWN

    def _follow(self, policy: Policy, steps: tuple[Step, ...]) -> None:
        self._rng = SeededRng(policy.seed + self._transport.config.role.value.encode())
        self._steps = steps

    def _on_ignore(self, payload: memoryview) -> None:
        if self._rng is None:
            self._agree(payload)
        elif (heard := read_filler(payload)) is not None:
            if heard.is_answer and self._asked and (waiting := self._asked.popleft()) is not None:
                waiting.release()
            if heard.answer:
                self._answer(heard.answer, heard.question)

    def _answer(self, size: int, question: int) -> None:
        # Who asks for more than there is gets short answers: what waits for them must go on.
        size = min(size, self._allowance)
        self._allowance -= size
        if not self.may_ask:
            question = 0
        if question:
            self._asked.append(None)
        self._transport.send(filler(size, question, is_answer=True))

    def _agree(self, payload: memoryview) -> None:
        raise NotImplementedError


class ClientShaper(Shaper):
    """The client's: follows its policy once the server has offered to."""

    def __init__(self, transport: Transport, policy: Policy) -> None:
        super().__init__(transport)
        self._policy = policy

    def accompany(self, size: int) -> None:
        """Fill up a request of `size` bytes that is sent now, as the first data of a stream."""
        if self._rng is not None and len(self._steps) > 1:
            step = self._steps[1]
            self._allowance += MOST_UP + MOST_DOWN
            self.say(step.fill.draw(self._rng) - size, 0, 0)

    def _agree(self, payload: memoryview) -> None:
        if is_offer(payload):
            self._follow(self._policy, self._policy.up)
            assert self._rng is not None
            self._transport.send(policy_message(self._policy, GREETING.draw(self._rng)))


class ServerShaper(Shaper):
    """The server's: offers to follow the client's policy. Make it once the client is logged in."""

    def __init__(self, transport: Transport, rng: Rng) -> None:
        super().__init__(transport)
        transport.send(offer(GREETING.draw(rng)))

    def _agree(self, payload: memoryview) -> None:
        policy = read_policy(payload)
        if policy is not None:
            self._follow(policy, policy.down)


class StreamShape:
    """What one end does to the first bursts that it sends on a channel. `room` is what may be sent now.

    The request to open the channel, and its confirmation, are the first burst.
    """

    __slots__ = (
        "_budget",
        "_channel",
        "_fresh",
        "_held",
        "_looked",
        "_rng",
        "_shaper",
        "_step",
        "_steps",
        "room",
    )

    def __init__(
        self, shaper: Shaper, channel: Channel, steps: Iterable[Step], rng: Rng, budget: int
    ) -> None:
        self._shaper = shaper
        self._channel = channel
        self._steps = deque(steps)
        self._rng = rng
        self._budget = budget
        self._step = Step()
        self._held = False
        self._fresh = False  # a step is drawn for a burst that has not begun
        self._looked = False
        self.room = _ANY
        self.received()

    def look(self, data: memoryview, *, ours: bool) -> None:
        """Data passes, `ours` or the peer's. The first of a stream tells whether it is shaped any further."""
        if self._looked or not data:
            return
        self._looked = True
        if ours is not self._shaper.client or not _TLS.startswith(bytes(data[:2])):
            self._channel.shape = None

    def received(self) -> None:
        """The peer sent something: what we send next is a new burst."""
        if self._fresh or self._held:
            return
        if not self._steps:
            self._channel.shape = None
            return
        self._fresh = True
        self._step = self._steps.popleft()
        self.room = self._step.cut.draw(self._rng) or _ANY

    def sent(self, size: int) -> None:
        """So much of the channel's data was sent, or a message of `size` bytes more or less."""
        began, self._fresh = self._fresh, False
        self.room = max(0, self.room - size)
        may_ask = self._shaper.may_ask
        cut = self.room == 0 and not self._held
        if cut and not may_ask:
            cut, self.room = False, _ANY
        if not (began or cut):
            return
        step = self._step
        asks = may_ask and (cut or not step.cut.most)
        fill = self._afford(step.fill.draw(self._rng) - size - DATA_AROUND) if began else 0
        answer = self._afford(step.answer.draw(self._rng)) if asks else 0
        question = self._afford(step.question.draw(self._rng)) if answer else 0
        if cut:
            self._held = True
            self._shaper.say(fill, max(1, answer), question, self)
        elif fill or answer:
            self._shaper.say(fill, answer, question)

    def release(self) -> None:
        """The peer has answered: the rest of the burst may go."""
        self._held = False
        self.room = _ANY
        self._channel.go_on()

    def _afford(self, size: int) -> int:
        size = max(0, min(size, self._budget))
        self._budget -= size
        return size
