"""The client for programs without an event loop: it has a thread of its own with one."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from headrace.client.status import Status
from headrace.embed.config import Config
from headrace.embed.connections import CONNECT_TIMEOUT
from headrace.embed.errors import ConnectionFailed
from headrace.embed.socket_pair import ForwardSocket, open_socket
from headrace.embed.tunnel import Tunnel, connect
from headrace.net.loop import run
from headrace.ssh.forwarding import Failure

if TYPE_CHECKING:
    import requests.adapters
    import urllib3

__all__ = ["SyncTunnel", "connect_sync"]

T = TypeVar("T")


class SyncTunnel:
    """A client that runs while the block of `connect_sync` does, for any number of threads."""

    def __init__(self, tunnel: Tunnel, loop: asyncio.AbstractEventLoop) -> None:
        self._tunnel = tunnel
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: set[concurrent.futures.Future[Any]] = set()
        self._ended = False

    @property
    def status(self) -> Status:
        """How things stand now. Raises ConnectionFailed after the end, as everything here."""

        async def status() -> Status:
            return self._tunnel.status

        return self._call(status)

    def create_connection(
        self, address: tuple[str, int], timeout: float | None = CONNECT_TIMEOUT
    ) -> ForwardSocket:
        """Connect to a host and port, as `socket.create_connection`. Raises ConnectionFailed.

        `timeout` is in seconds, and becomes the socket's; without one, connecting has a limit all the same.
        """
        host, port = address
        connection = self._call(lambda: open_socket(self._tunnel, host, port, timeout or CONNECT_TIMEOUT))
        connection.settimeout(timeout)
        return connection

    def requests_adapter(self, **settings: Any) -> "requests.adapters.HTTPAdapter":
        """Return an adapter for a session to mount; `settings` are those of requests' HTTPAdapter."""
        from headrace.embed.requests_adapter import TunnelAdapter

        return TunnelAdapter(self.create_connection, **settings)

    def pool_manager(self, **settings: Any) -> "urllib3.PoolManager":
        """Return a manager of connections; `settings` are those of urllib3's PoolManager."""
        from headrace.embed.urllib3_pools import make_pool_manager

        return make_pool_manager(self.create_connection, **settings)

    def _call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Have something done on the loop's thread, and wait for it."""
        with self._lock:
            if self._ended:
                raise ConnectionFailed(Failure.NO_TUNNEL)
            waiting = asyncio.run_coroutine_threadsafe(work(), self._loop)
            self._waiting.add(waiting)
        try:
            return waiting.result()
        except concurrent.futures.CancelledError as error:
            raise ConnectionFailed(Failure.NO_TUNNEL) from error
        except BaseException:
            waiting.cancel()
            raise
        finally:
            self._waiting.discard(waiting)

    async def _end(self) -> None:
        """Take no more orders, and wait for the end of those there are."""
        with self._lock:
            self._ended = True
            waiting = tuple(self._waiting)
        for one in waiting:
            one.cancel()


@contextmanager
def connect_sync(config: Config, *, timeout: float | None = None) -> Iterator[SyncTunnel]:
    """Run a client on a thread of its own for the block; otherwise as `connect`."""
    begun: concurrent.futures.Future[Callable[[], object]] = concurrent.futures.Future()
    ready: concurrent.futures.Future[SyncTunnel] = concurrent.futures.Future()

    async def live() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        begun.set_result(lambda: loop.call_soon_threadsafe(task.cancel))
        with suppress(asyncio.CancelledError):
            async with connect(config, timeout=timeout) as tunnel:
                offered = SyncTunnel(tunnel, loop)
                ready.set_result(offered)
                try:
                    await loop.create_future()
                finally:
                    await offered._end()

    with concurrent.futures.ThreadPoolExecutor(1, "headrace") as executor:
        life = executor.submit(run, live())
        try:
            _wait_for_either(life, ready)
            if life.done():
                life.result()  # raises why there is no tunnel
            yield ready.result()
        finally:
            _wait_for_either(life, begun)
            if not life.done():  # else it may never have begun
                with suppress(RuntimeError):  # it has ended by itself
                    begun.result()()
            life.result()


def _wait_for_either(*futures: concurrent.futures.Future[Any]) -> None:
    concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_COMPLETED)
