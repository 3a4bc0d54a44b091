"""Carries out what the scheduler decides: dials, ends what was outrun, hands over the tunnels that are kept.

    scheduler ──► Dial, Activate, Drop ──► tasks and tunnels
        ▲                                        │
        └──────── connected, failed, activated ◄─┘

Nothing waits in between: whatever a tunnel comes to is told to the scheduler at once, in the same step of the
loop as its answer is carried out. So no tunnel is ever anybody's but the scheduler's or the `keep`er's.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

from headrace.base.errors import HeadraceError, NetworkError
from headrace.client.tunnel import Tunnel
from headrace.codec.handshake_response import HandshakeResponse
from headrace.establishment.dial_parameters import DialParameters
from headrace.establishment.scheduler import Action, Activate, Dial, Drop, NewRound, Scheduler, WantServers
from headrace.establishment.states import ENDINGS, State

__all__ = ["Establisher", "Listener"]


class Listener(Protocol):
    """Who hears how an establishment goes."""

    def new_round(self, number: int) -> None:
        """Everybody known is tried, for the first time in round 0."""
        ...

    def want_servers(self) -> None:
        """It takes long, or nobody is known."""
        ...

    def dialling(self, tunnel: Tunnel) -> None:
        """An attempt begins."""
        ...

    def connected(self, tunnel: Tunnel) -> None:
        """A server has let us in."""
        ...

    def failed(self, tunnel: Tunnel, error: HeadraceError) -> None:
        """An attempt came to nothing."""
        ...

    def dropped(self, tunnel: Tunnel, outrun: bool) -> None:
        """An attempt was ended by ourselves, because another was faster or for want of a use for it."""
        ...


class Establisher:
    """One establishment, carried out. `keep` gets each tunnel that is ready for use.

    `make` builds a tunnel for an attempt. Without `handshake` a tunnel is ready once it is through log-in.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        make: Callable[[DialParameters], Tunnel],
        keep: Callable[[Tunnel, HandshakeResponse], None],
        listener: Listener,
        *,
        handshake: bool = True,
    ) -> None:
        self._scheduler = scheduler
        self._make = make
        self._keep = keep
        self._listener = listener
        self._handshake = handshake
        self._loop = loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = loop.create_future()
        self._tunnels: dict[int, Tunnel] = {}  # by candidate number; the scheduler's, not yet kept
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._alarm: asyncio.TimerHandle | None = None

    async def run(
        self, *, wanted: int = 1, active: Iterable[str] = (), give_up: float = 0.0, favourite: bool = True
    ) -> bool:
        """Find as many tunnels as `wanted`, besides those to the `active` addresses; False if in vain.

        Without `favourite` the server used last is treated like others.
        When this returns or is cancelled, nothing is left of any attempt but the tunnels that were kept.
        """
        try:
            self._scheduler.begin(
                self._loop.time(), wanted=wanted, active=active, give_up=give_up, favourite=favourite
            )
            self._go_on()
            await self._over
            return self._scheduler.state is State.FULL
        finally:
            self._scheduler.abandon()
            for action in self._scheduler.take_actions():
                if isinstance(action, Drop):
                    self._carry_out(action)
            if self._alarm is not None:
                self._alarm.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks.values())

    def arrived(self, addresses: Sequence[str]) -> None:
        """The servers at these addresses were not known before: they are tried next."""
        self._scheduler.arrived(addresses, self._loop.time())
        self._go_on()

    def lost(self, address: str) -> None:
        """The tunnel to this address has ended, and another is wanted in its place."""
        self._scheduler.lost(address, self._loop.time())
        self._go_on()

    # ---- carrying out ---------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Do what the scheduler wants done, and be there when it wants to be asked again."""
        scheduler = self._scheduler
        try:
            while actions := scheduler.take_actions():
                for action in actions:
                    self._carry_out(action)
        except Exception as error:  # whoever runs us is to hear of it, not the timer that called us
            if not self._over.done():
                self._over.set_exception(error)
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if scheduler.state in ENDINGS:
            if not self._over.done():
                self._over.set_result(None)
        elif scheduler.wake is not None:
            self._alarm = self._loop.call_at(scheduler.wake, self._tick, scheduler.wake)

    def _tick(self, due: float) -> None:
        self._alarm = None
        self._scheduler.tick(max(due, self._loop.time()))  # a loop may be early by its clock's resolution
        self._go_on()

    def _carry_out(self, action: Action) -> None:
        match action:
            case Dial(attempt, patience):
                tunnel = self._tunnels[attempt.candidate_number] = self._make(attempt)
                self._listener.dialling(tunnel)
                self._begin(tunnel, self._dial(tunnel, patience))
            case Activate(attempt):
                tunnel = self._tunnels[attempt.candidate_number]
                self._begin(tunnel, self._activate(tunnel))
            case Drop(attempt, outrun):
                self._drop(attempt.candidate_number, outrun)
            case WantServers():
                self._listener.want_servers()
            case NewRound(number):
                self._listener.new_round(number)

    def _begin(self, tunnel: Tunnel, work: Any) -> None:
        number = tunnel.dial_parameters.candidate_number
        task = self._tasks[number] = self._loop.create_task(work)
        task.add_done_callback(partial(self._ended, number))

    def _ended(self, number: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(number) is task:
            del self._tasks[number]
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._over.done():  # a mistake of ours: whoever runs us is to hear of it
            self._over.set_exception(error)

    def _drop(self, number: int, outrun: bool) -> None:
        tunnel = self._tunnels.pop(number)
        if (task := self._tasks.get(number)) is not None:
            task.cancel()
        self._listener.dropped(tunnel, outrun)
        tunnel.abort()

    # ---- what becomes of an attempt -------------------------------------------------------------------

    async def _dial(self, tunnel: Tunnel, patience: float) -> None:
        try:
            await tunnel.connect(patience)
        except HeadraceError as error:
            self._fail(tunnel, error)
            return
        self._listener.connected(tunnel)
        tunnel.ended.add_done_callback(partial(self._lost_while_waiting, tunnel))
        self._scheduler.connected(tunnel.dial_parameters, self._loop.time())
        self._go_on()

    def _lost_while_waiting(self, tunnel: Tunnel, ended: asyncio.Future[Exception | None]) -> None:
        number = tunnel.dial_parameters.candidate_number
        if self._tunnels.get(number) is tunnel and number not in self._tasks:
            self._fail(tunnel, NetworkError("the server closed the connection after the log-in"))

    async def _activate(self, tunnel: Tunnel) -> None:
        try:
            response = await tunnel.handshake() if self._handshake else HandshakeResponse()
        except HeadraceError as error:
            self._fail(tunnel, error)
            return
        attempt = tunnel.dial_parameters
        self._keep(tunnel, response)
        del self._tunnels[attempt.candidate_number]
        self._scheduler.activated(attempt, self._loop.time())
        self._go_on()

    def _fail(self, tunnel: Tunnel, error: HeadraceError) -> None:
        attempt = tunnel.dial_parameters
        if self._tunnels.pop(attempt.candidate_number, None) is None:  # dropped in the same moment
            return
        self._listener.failed(tunnel, error)
        tunnel.abort()
        self._scheduler.failed(attempt, self._loop.time())
        self._go_on()
