"""What the machine tells a client: which network it is in, whether there is one, that it slept."""

import asyncio
from collections.abc import Callable
from typing import Self

from headrace.base.clock import Clock
from headrace.base.rng import Rng
from headrace.client.sleep_watch import SleepWatch
from headrace.documents.client_config import ClientConfig
from headrace.net.network_id import NetworkIdentity, network_salt, type_of
from headrace.net.network_watch import NetworkWatch
from headrace.net.routes import network_up
from headrace.store.client.store import ClientStore

__all__ = ["Machine", "Surroundings"]


class Surroundings:
    """As they are where nothing can be found out: one network that is always there, and no sleep."""

    def network_id(self) -> str:
        """Return what tells this network from others; it must not be told to anybody."""
        return "UNKNOWN"

    @property
    def network_type(self) -> str:
        """What kind of network it is, which may be told."""
        return type_of(self.network_id())

    def network_up(self, host: str) -> bool:
        """Say whether there is a network, be it only one that leads to `host`."""
        return True

    async def watch(self, network_changed: Callable[[], None], resumed: Callable[[float], None]) -> None:
        """Tell of another network, and for how many seconds the machine slept, until cancelled."""
        await asyncio.Event().wait()


class Machine(Surroundings):
    """As the system has them."""

    def __init__(self, identity: NetworkIdentity, clock: Clock, device: str = "") -> None:
        self._identity = identity
        self._device = device
        self._clock = clock

    @classmethod
    def of(cls, config: ClientConfig, store: ClientStore, rng: Rng, clock: Clock) -> Self:
        """Return what this machine tells; the salt of networks' IDs is kept in the store."""
        identity = NetworkIdentity(config.network_id, network_salt(store.values, rng), clock)
        return cls(identity, clock, config.bind_interface)

    def network_id(self) -> str:
        return self._identity()

    def network_up(self, host: str) -> bool:
        return network_up(host, self._device)

    async def watch(self, network_changed: Callable[[], None], resumed: Callable[[float], None]) -> None:
        def changed() -> None:
            self._identity.flush()
            network_changed()

        async with asyncio.TaskGroup() as group:
            group.create_task(NetworkWatch(changed).run())
            group.create_task(SleepWatch(self._clock, resumed).run())
