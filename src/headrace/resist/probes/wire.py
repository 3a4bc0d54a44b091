"""Sends probes to a server on loopback over real sockets, many at once, and notes what becomes of each.

The classes are mixed, so that what else happens on the machine meanwhile is the same for all of them.
"""

import asyncio
import contextlib
import itertools
import resource
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from headrace.base.errors import OperatorError
from headrace.base.rng import Rng
from headrace.obfuscation.prefix import PrefixSpecs
from headrace.resist.probes.kinds import Material, probes_of
from headrace.resist.probes.probe import Ending, Probe, ProbeResult, Then
from headrace.resist.probes.recording import Client, Recording, shipped_prefixes

__all__ = ["ProbeTarget", "concurrent_replays", "record", "run_probes", "send_probes"]

#: Probes that are out at once at most, and connections that are being made.
AT_ONCE: Final = 2000
_CONNECTING: Final = 50
#: How many clients are recorded, of each form.
_RECORDINGS: Final = 8
_SHORT_PADDING: Final = 64
#: Seconds until a server that took no connection is asked for one again.
_BUSY: Final = 1.0
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """A server to probe. `limit` is about how many seconds it waits; a probe looks for three times that.

    `keyword` is its key's raw text. The prober does not have that: what it has recorded is made with it.
    """

    port: int
    keyword: bytes = field(repr=False)
    host: str = "127.0.0.1"
    limit: float = 120.0
    prefixes: PrefixSpecs = field(default_factory=shipped_prefixes)  #: what its clients begin with

    @property
    def patience(self) -> float:
        """Seconds until a probe gives up."""
        return 3 * self.limit + 5


async def run_probes(
    target: ProbeTarget,
    classes: Iterable[str],
    count: int | Mapping[str, int],
    rng: Rng,
    tell: Callable[[int], None] = lambda done: None,
) -> list[ProbeResult]:
    """Send `count` probes of each class; return what came of them. `tell` hears how many are done.

    Raises OperatorError if the server does not answer clients of its own: nothing would be proved.
    """
    client = Client(target.keyword, target.prefixes)
    fresh = [
        client.record(rng, prefixed=form, padding=_SHORT_PADDING)
        for form in (False, True)
        for _ in range(_RECORDINGS)
    ]
    await record(target, fresh)
    stranger = Client(rng.bytes(32).hex().encode(), target.prefixes)
    material = Material(client, stranger, fresh, target.limit / 12)
    counts = dict.fromkeys(classes, count) if isinstance(count, int) else count
    probes = [probe for kind in classes for probe in probes_of(kind, material, rng, counts[kind])]
    return await send_probes(target, rng.shuffled(probes), tell)


async def send_probes(
    target: ProbeTarget, probes: Sequence[Probe], tell: Callable[[int], None] = lambda done: None
) -> list[ProbeResult]:
    """Send these probes; return what came of each, in their order.

    Raises OperatorError if the server takes no connections.
    """
    _make_room(len(probes))
    out, connecting = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(_CONNECTING)
    done = itertools.count(1)

    async def one(probe: Probe) -> ProbeResult:
        async with out:
            result = await _Stranger(target, probe).run(connecting)
        tell(next(done))
        return result

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(probe)) for probe in probes]
    except ExceptionGroup as several:
        raise OperatorError(f"the server takes no connections: {several.exceptions[0]!r}") from several
    return [task.result() for task in tasks]


async def record(target: ProbeTarget, recordings: Sequence[Recording]) -> None:
    """Have the server answer clients that begin so. Raises OperatorError if one gets no answer."""
    answers = await asyncio.gather(*(_answered(target, recording.data) for recording in recordings))
    if (answered := sum(answers)) < len(recordings):
        raise OperatorError(f"the server answers {answered} of {len(recordings)} clients of its own")


async def concurrent_replays(target: ProbeTarget, count: int, rng: Rng) -> list[int]:
    """Send that many first messages twice each, at the same moment; return how often each was answered."""
    client = Client(target.keyword)

    async def both() -> int:
        data = client.record(rng, prefixed=False).data
        return sum(await asyncio.gather(_answered(target, data), _answered(target, data)))

    return await asyncio.gather(*(both() for _ in range(count)))


async def _answered(target: ProbeTarget, data: bytes) -> bool:
    """Say whether a client that begins so is answered."""
    loop = asyncio.get_running_loop()
    with _stream() as stream, contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(target.patience):
            await loop.sock_connect(stream, (target.host, target.port))
            await loop.sock_sendall(stream, data)
            return bool(await loop.sock_recv(stream, 1))
    return False


class _Stranger:
    """One probe's connection."""

    def __init__(self, target: ProbeTarget, probe: Probe) -> None:
        self._target = target
        self._probe = probe
        self._received = 0
        self._loop = asyncio.get_running_loop()

    async def run(self, connecting: asyncio.Semaphore) -> ProbeResult:
        probe, target = self._probe, self._target
        async with connecting:
            stream = await self._connect()
        with stream:
            begun = time.monotonic()
            ending = Ending.NONE
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(target.patience):
                    ending = await self._watch(stream)
            return ProbeResult(probe, self._received, ending, time.monotonic() - begun)

    async def _connect(self) -> socket.socket:
        """Return a connection. A server may be too busy to take one, for a while."""
        probe, target = self._probe, self._target
        async with asyncio.timeout(target.patience):
            while True:
                stream = _stream()
                try:
                    if probe.source:
                        stream.bind((probe.source, 0))
                    if probe.then is Then.SMALL_WINDOW:
                        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
                    await self._loop.sock_connect(stream, (target.host, target.port))
                    return stream
                except ConnectionRefusedError:
                    stream.close()
                    await asyncio.sleep(_BUSY)
                except BaseException:
                    stream.close()
                    raise

    async def _watch(self, stream: socket.socket) -> Ending:
        saying = asyncio.create_task(self._say(stream))
        try:
            if self._probe.then is Then.RESET:
                await saying
                return Ending.NONE
            while data := await self._loop.sock_recv(stream, 65_536):
                self._received += len(data)
            return Ending.FIN
        except OSError:
            return Ending.RST
        finally:
            saying.cancel()
            await asyncio.gather(saying, return_exceptions=True)

    async def _say(self, stream: socket.socket) -> None:
        probe = self._probe
        for number, piece in enumerate(probe.pieces):
            if number and probe.interval:
                await asyncio.sleep(probe.interval)
            await self._loop.sock_sendall(stream, piece[:-1] if probe.urgent else piece)
        if probe.urgent:
            stream.send(probe.pieces[-1][-1:], socket.MSG_OOB)
        if probe.then is Then.HALF_CLOSE:
            stream.shutdown(socket.SHUT_WR)
        elif probe.then is Then.RESET:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _stream() -> socket.socket:
    stream = socket.socket()
    stream.setblocking(False)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def _make_room(count: int) -> None:
    """Let this process have as many descriptors as it needs, if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(count, AT_ONCE) + 500
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
