"""Tells the network that somebody is connected: the connected request (client spec §1.13, tunnel spec §5).

once per tunnel, again after a day; what could not be said is said again after a moment

Servers count clients by the hour that the last reply named, which is all that they are told of the past.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from headrace.base.errors import HeadraceError
from headrace.base.rng import Rng
from headrace.client import api
from headrace.client.notices import Notices
from headrace.client.tunnel import Tunnel
from headrace.store.client.store import ClientStore

__all__ = ["LAST_CONNECTED", "ConnectedReporter"]

#: Where the store keeps the hour that the last server gave.
LAST_CONNECTED: Final = "lastConnected"
#: Seconds until the request is made again: when it failed, and when it did not.
RETRY, PERIOD = 5.0, 86_400.0
REQUEST_TIMEOUT: Final = 10.0


class ConnectedReporter:
    """Reports for one run of a client. Without a `store`, what was told is forgotten with the run."""

    def __init__(
        self, identity: api.Identity, rng: Rng, notices: Notices, store: ClientStore | None = None
    ) -> None:
        self._identity = identity
        self._rng = rng
        self._notices = notices
        self._store = store
        self._idle = asyncio.Event()
        self._idle.set()
        self.last_connected = store.values.get(LAST_CONNECTED) if store is not None else ""

    async def run(
        self,
        tunnel: Tunnel,
        establishment: float,
        failed: Callable[[], None] = lambda: None,
        *,
        timeout: float = REQUEST_TIMEOUT,
    ) -> None:
        """Report a tunnel until it ends, after an establishment of so many seconds.

        `failed` hears of each request without an answer.
        """
        while not tunnel.ended.done():
            done = await self._report(tunnel, establishment, failed, timeout)
            await asyncio.wait((tunnel.ended,), timeout=PERIOD if done else RETRY)

    async def settled(self) -> None:
        """Wait for the answer to a request that is under way, if one is."""
        await self._idle.wait()

    async def _report(
        self, tunnel: Tunnel, establishment: float, failed: Callable[[], None], timeout: float
    ) -> bool:
        identity, attempt = self._identity, tunnel.dial_parameters
        parameters = api.connected_parameters(
            identity, attempt, self._rng, self.last_connected, round(establishment * 1000)
        )
        self._idle.clear()
        try:
            reply = await tunnel.request(
                b"psiphon-connected", api.encode(identity, attempt, parameters), timeout
            )
        except HeadraceError as error:
            if not tunnel.ended.done():
                self._notices.info(f"the connected request failed: {error}")
                failed()
            return False
        finally:
            self._idle.set()
        if reply is None:
            return False
        self.last_connected = api.connected_timestamp(reply) or self.last_connected
        if self._store is not None:
            self._store.values.set(LAST_CONNECTED, self.last_connected)
        return True
