"""The desktop's programs use the local proxies from the first tunnel to the end of the run.

Not earlier, because proxies that lead nowhere yet would cut them off. And without a break when a tunnel is
lost, because what was meant for it would leave in the open.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

from headrace.base.errors import OperatorError
from headrace.client.data_directory import default_data_directory
from headrace.client.notices import Notices
from headrace.desktop.choice import OFF, choose_desktop, find_desktop
from headrace.desktop.settings import Desktop, Proxies
from headrace.desktop.system_proxy import InUse, SystemProxy

__all__ = ["offered", "user_settings"]


def user_settings() -> SystemProxy:
    """Return the user's settings: the same for all clients, wherever each keeps its own files.

    Raises OperatorError for a user without a home.
    """
    directory = default_data_directory()
    return SystemProxy(directory, lambda name: find_desktop(name, directory))


@contextlib.asynccontextmanager
async def offered(
    choice: str, notices: Notices, stop: Callable[[], None], *, address: str
) -> AsyncIterator[None]:
    """Have programs use the proxies that the notices tell of, at `address`, until the end of the block.

    What a client that was killed has left is put back first, even if the `choice` is OFF. `stop`, which is to
    end the block, is called when the terminal is closed. Raises OperatorError when settings cannot be had or
    put back.
    """
    if choice == OFF:
        _put_back_leftovers(notices)
        yield
        return
    settings = user_settings()
    desktop = settings.find(choose_desktop(choice))
    with settings.held():
        settings.restore()
        desktop.read()  # whatever is missing had better be said now
        offer = _Offer(settings, desktop, notices, address)
        notices.listen(offer.hear)
        with _hangup(stop):
            try:
                yield
            finally:
                await offer.end()


def _put_back_leftovers(notices: Notices) -> None:
    """Put back what a client that was killed has left; failing is no reason not to run."""
    try:
        settings = user_settings()
        if settings.changed() is not None:
            with settings.held():
                settings.restore()
    except InUse:
        pass  # it was not killed
    except OperatorError as error:
        notices.warning(str(error))


@contextlib.contextmanager
def _hangup(stop: Callable[[], None]) -> Iterator[None]:
    """End in an orderly way when the terminal is closed, unless that was to be ignored."""
    loop = asyncio.get_running_loop()
    heard = signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    if heard:
        loop.add_signal_handler(signal.SIGHUP, stop)
    try:
        yield
    finally:
        if heard:
            loop.remove_signal_handler(signal.SIGHUP)


class _Offer:
    """Hears where the proxies are, and changes the desktop's settings at the first tunnel."""

    def __init__(self, settings: SystemProxy, desktop: Desktop, notices: Notices, address: str) -> None:
        self._settings = settings
        self._desktop = desktop
        self._notices = notices
        self._host = "127.0.0.1" if address == "0.0.0.0" else address
        self._ports: dict[str, int] = {}
        self._applying: asyncio.Task[None] | None = None
        self._ending = False

    def hear(self, notice_type: str, data: Mapping[str, object]) -> None:
        match notice_type, data:
            case "ListeningSocksProxyPort" | "ListeningHttpProxyPort", {"port": int(port)}:
                self._ports[notice_type] = port
            case "Tunnels", {"count": int(count)} if count and self._applying is None:
                self._applying = asyncio.get_running_loop().create_task(self._apply())

    async def _apply(self) -> None:
        http, socks = (self._ports.get(f"Listening{name}ProxyPort") for name in ("Http", "Socks"))
        try:
            if not (http or socks):
                raise OperatorError("there is no local proxy with a port that programs could use")
            proxies = Proxies(self._host, http, socks)
            await asyncio.to_thread(self._settings.apply, self._desktop, proxies)
            if not self._ending:
                self._notices.emit("SystemProxy", desktop=self._desktop.name)
        except OperatorError as error:
            if not self._ending:
                self._notices.emit("SystemProxyError", message=str(error))

    async def end(self) -> None:
        """Put everything back. Raises OperatorError."""
        self._ending = True  # the last notice was given
        try:
            if self._applying is not None:
                await self._applying
        finally:
            self._settings.restore()
