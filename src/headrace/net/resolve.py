"""Names to addresses, for whoever dials on another's behalf.

Look-ups go through c-ares, where a slow name holds nobody else up and a dead name server is passed over; if
that cannot start, through the system's resolver. Answers are kept for as long as they say, within bounds,
that a name does not exist for a moment, failures not at all. All who ask for the same name at once share one
look-up. There are no search domains: a client's names mean the same from every server.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from headrace.base.clock import SYSTEM_CLOCK, Clock
from headrace.base.errors import ConnectTimeout, NameNotFound, NetworkError
from headrace.codec.host_names import question_name
from headrace.net.addresses import parse_address

__all__ = ["Answer", "Backend", "Resolver", "system_name_servers"]

_log = logging.getLogger(__name__)

Answer = tuple[str, int]
"""An address and the seconds it may be kept."""

#: Bounds on how long an answer is kept, in seconds, and on how many are.
MIN_AGE: Final = 1
MAX_AGE: Final = 60
MAX_KEPT: Final = 1024
#: Seconds for which a name that does not exist is not asked for again.
ABSENT_AGE: Final = 5
#: Seconds before a look-up is given up, all retries included.
TIMEOUT: Final = 5.0

#: What the system's resolver gives no lifetime for.
_SYSTEM_AGE: Final = 30


class Backend(Protocol):
    """Something that knows addresses."""

    async def query(self, name: str) -> Sequence[Answer]:
        """Return all addresses of an ASCII name. Raises NetworkError."""
        ...

    async def close(self) -> None:
        """Let go of sockets and threads."""
        ...


class Resolver:
    """Look-ups with a small memory. `servers` are name servers to use instead of the system's.

    `tell` hears of each look-up that it was "answered", "failed" or "cached", and how many seconds that took.
    """

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        timeout: float = TIMEOUT,
        clock: Clock = SYSTEM_CLOCK,
        backend: Callable[[], Backend] | None = None,
        tell: Callable[[str, float], None] = lambda outcome, seconds: None,
    ) -> None:
        self._make_backend = backend or (lambda: _best_backend(servers))
        self._backend: Backend | None = None
        self._timeout = timeout
        self._clock = clock
        self._tell = tell
        self._kept: dict[str, tuple[float, list[str]]] = {}  # name to expiry and addresses, oldest first
        self._pending: dict[str, asyncio.Task[list[str]]] = {}

    def start(self) -> None:
        """Get ready now, in a running loop, instead of with the first look-up."""
        if self._backend is None:
            self._backend = self._make_backend()

    async def lookup(self, name: str) -> list[str]:
        """Return the addresses of `name`, IPv4 first; an address literal is returned as it is.

        Raises NetworkError, whose text does not repeat the name.
        """
        if parse_address(name) is not None:
            return [name]
        key = question_name(name)
        if key is None:
            raise _no_such_name()
        kept = self._kept.get(key)
        if kept is not None and self._clock.monotonic() < kept[0]:
            self._tell("cached", 0.0)
            if not kept[1]:
                raise _no_such_name()
            return list(kept[1])
        task = self._pending.get(key)
        if task is None:
            task = self._pending[key] = asyncio.get_running_loop().create_task(self._ask(key))
            task.add_done_callback(lambda done: self._answered(key, done))
        # Whoever stops waiting must not take the look-up away from the others.
        return list(await asyncio.shield(task))

    async def renew(self) -> None:
        """Ask the name servers that the system has now, and forget what others said.

        Look-ups under way are left to end.
        """
        self._kept.clear()
        before, self._backend = self._backend, None
        if before is None:
            return
        self.start()
        try:
            if self._pending:
                await asyncio.wait(self._pending.values())
        finally:
            await before.close()

    async def close(self) -> None:
        """End all look-ups; those who wait for one are cancelled."""
        tasks = list(self._pending.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._kept.clear()
        backend, self._backend = self._backend, None
        if backend is not None:
            await backend.close()

    async def _ask(self, name: str) -> list[str]:
        """Look a name up, and keep what is said of it. Raises NetworkError."""
        begun, outcome = self._clock.monotonic(), "failed"
        try:
            found = await self._query(name)
            outcome = "answered"
        except NameNotFound:
            outcome = "answered"
            self._keep(name, [], ABSENT_AGE)
            raise
        finally:
            self._tell(outcome, self._clock.monotonic() - begun)
        return found

    async def _query(self, name: str) -> list[str]:
        self.start()
        assert self._backend is not None
        try:
            async with asyncio.timeout(self._timeout):
                answers = await self._backend.query(name)
        except TimeoutError as error:
            raise ConnectTimeout("the name server did not answer: timed out") from error
        # Sorting is stable: within a family the order is the name server's.
        addresses = sorted(dict.fromkeys(address for address, _ in answers), key=lambda text: ":" in text)
        if not addresses:
            raise NameNotFound("the name has no address")
        self._keep(name, addresses, min(age for _, age in answers))
        return addresses

    def _keep(self, name: str, addresses: list[str], age: int) -> None:
        self._kept.pop(name, None)
        while len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[name] = (self._clock.monotonic() + max(MIN_AGE, min(age, MAX_AGE)), addresses)

    def _answered(self, name: str, task: asyncio.Task[list[str]]) -> None:
        del self._pending[name]
        if not task.cancelled():
            task.exception()  # those who asked have it, if they are still there


def system_name_servers(file: Path = Path("/etc/resolv.conf")) -> list[str]:
    """Return the addresses of the system's name servers, as far as they are plain ones."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    words = [line.split() for line in lines]
    found = [each[1] for each in words if len(each) >= 2 and each[0] == "nameserver"]
    return [each for each in found if parse_address(each) is not None]


def _no_such_name() -> NetworkError:
    return NameNotFound("the name does not exist")


def _best_backend(servers: Sequence[str]) -> Backend:
    try:
        return _CAres(servers)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        _log.warning("c-ares cannot start, using the system's resolver", extra={"reason": str(error)})
        return _System()


class _CAres:
    """Asynchronous look-ups by aiodns, which is slow to import: only when it is needed."""

    def __init__(self, servers: Sequence[str]) -> None:
        import aiodns
        import pycares

        self._missing = (aiodns.error.ARES_ENOTFOUND, aiodns.error.ARES_ENODATA, aiodns.error.ARES_EBADNAME)
        self._failure = aiodns.error.DNSError
        self._timed_out = aiodns.error.ARES_ETIMEOUT
        try:
            self._resolver = aiodns.DNSResolver(
                servers or None,
                asyncio.get_running_loop(),
                timeout=1.5,
                tries=3,
                flags=pycares.ARES_FLAG_NOSEARCH | pycares.ARES_FLAG_EDNS,
            )
        except pycares.AresError as error:
            raise RuntimeError("no channel") from error

    async def query(self, name: str) -> list[Answer]:
        try:
            result = await self._resolver.getaddrinfo(name, type=socket.SOCK_STREAM)
        except self._failure as error:
            raise self._explain(error.args[0]) from error
        return [(node.addr[0].decode(), node.ttl) for node in result.nodes]

    async def close(self) -> None:
        await self._resolver.close()

    def _explain(self, code: int) -> NetworkError:
        if code in self._missing:
            return _no_such_name()
        if code == self._timed_out:
            return ConnectTimeout("the name server did not answer: timed out")
        return NetworkError("the name server cannot be used")


class _System:
    """The system's own resolver, in the loop's threads."""

    async def query(self, name: str) -> list[Answer]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise NetworkError("the name server did not answer") from error
            raise _no_such_name() from error
        except OSError as error:  # out of files, for one
            raise NetworkError("the name server cannot be used") from error
        return [(str(address[0]), _SYSTEM_AGE) for *_, address in found if "%" not in str(address[0])]

    async def close(self) -> None:
        """Nothing is held."""
