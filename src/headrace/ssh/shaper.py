"""One end of a connection whose streams are shaped as a policy says (`shaping`).

    Shaper            the connection: agrees on the policy, answers the peer's fillers
    └── StreamShape   what we send on one channel: fillers beside it, and holds, until the policy's steps are
                      over; then the channel has none any more and costs what others cost

A burst is what a channel sends until it receives something again. What the application wrote is never kept
here: while a burst is held its channel has no room, as if the peer's window were full.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from headrace.base.rng import Rng, SeededRng
from headrace.ssh import numbers
from headrace.ssh.shaping import (
    MOST_ADDED,
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

__all__ = ["ClientShaper", "ServerShaper", "Shaper", "StreamShape"]

_ANY: Final = 1 << 32  # bytes that no window has


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
            self._allowance += MOST_ADDED
            channel.shape = StreamShape(self, channel, [step.draw(self._rng) for step in self._steps])

    def say(self, size: int, answer: int, question: int, waiting: StreamShape | None = None) -> None:
        """Send a filler of about `size` bytes; an `answer` to it releases who is `waiting`."""
        if answer:
            self._asked.append(waiting)
        self._transport.send(filler(size, answer, question))

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
                # Who asks for more than there is gets short answers: what waits for them must go on.
                size = min(heard.answer, self._allowance)
                self._allowance -= size
                if heard.question:
                    self._asked.append(None)
                self._transport.send(filler(size, heard.question, is_answer=True))

    def _agree(self, payload: memoryview) -> None:
        raise NotImplementedError


class ClientShaper(Shaper):
    """The client's: follows its policy once the server has offered to."""

    def __init__(self, transport: Transport, policy: Policy) -> None:
        super().__init__(transport)
        self._policy = policy

    def _agree(self, payload: memoryview) -> None:
        if is_offer(payload):
            self._transport.send(policy_message(self._policy))
            self._follow(self._policy, self._policy.up)


class ServerShaper(Shaper):
    """The server's: offers to follow the client's policy. Make it once the client is logged in."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        transport.send(offer())

    def _agree(self, payload: memoryview) -> None:
        policy = read_policy(payload)
        if policy is not None:
            self._follow(policy, policy.down)


class StreamShape:
    """What one end does to the first bursts that it sends on a channel. `room` is what may be sent now."""

    __slots__ = ("_channel", "_fresh", "_held", "_shaper", "_step", "_steps", "room")

    def __init__(self, shaper: Shaper, channel: Channel, steps: Iterable[Step]) -> None:
        self._shaper = shaper
        self._channel = channel
        self._steps = deque(steps)
        self._held = False
        self.room = _ANY
        self._fresh = False
        self.received()

    def received(self) -> None:
        """The peer sent something: what we send next is a new burst."""
        if self._fresh or self._held:
            return
        if not self._steps:
            self._channel.shape = None
            return
        self._fresh = True
        self._step = self._steps.popleft()
        self.room = self._step.cut or _ANY

    def sent(self, size: int) -> None:
        """So much of the channel's data was sent."""
        step = self._step
        self.room = max(0, self.room - size)
        held = self.room == 0 and not self._held
        if held:
            self._held = True
            self._shaper.say(step.filler if self._fresh else 0, max(1, step.answer), step.question, self)
        elif self._fresh:
            self._shaper.say(step.filler, step.answer, step.question)
        self._fresh = False

    def release(self) -> None:
        """The peer has answered: the rest of the burst may go."""
        self._held = False
        self.room = _ANY
        self._channel.go_on()
