"""What all parts of a run work with."""

from dataclasses import dataclass
from typing import Self

from headrace.base.clock import Clock
from headrace.base.rng import Rng
from headrace.client import api
from headrace.client.connected_reporter import ConnectedReporter
from headrace.client.failed_tunnels import FailedTunnels
from headrace.client.notices import Notices
from headrace.client.servers import Servers
from headrace.client.surroundings import Surroundings
from headrace.documents.client_config import ClientConfig
from headrace.establishment.dial_settings import DialSettings
from headrace.establishment.replay import MemoryRecords, Replay
from headrace.establishment.replay_record import config_state
from headrace.net.upstream_proxy import UpstreamProxy
from headrace.store.client.store import ClientStore

__all__ = ["Shared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Made by `of`. Without a `store` nothing outlives the run."""

    config: ClientConfig
    servers: Servers
    notices: Notices
    rng: Rng
    clock: Clock
    store: ClientStore | None
    surroundings: Surroundings
    identity: api.Identity
    proxy: UpstreamProxy | None
    dial_settings: DialSettings
    replay: Replay
    connected_reporter: ConnectedReporter
    failed_tunnels: FailedTunnels

    def network_up(self, host: str) -> bool:
        """Say whether there is a network that leads to `host`, or to the upstream proxy if there is one."""
        return self.surroundings.network_up(self.proxy.host if self.proxy is not None else host)

    @classmethod
    def of(
        cls,
        config: ClientConfig,
        servers: Servers,
        notices: Notices,
        rng: Rng,
        clock: Clock,
        store: ClientStore | None,
        surroundings: Surroundings,
    ) -> Self:
        """Make what follows from these."""
        identity = api.Identity.from_config(config)
        dial_settings = DialSettings.from_config(config)
        connected_reporter = ConnectedReporter(identity, rng, notices, store)
        return cls(
            config=config,
            servers=servers,
            notices=notices,
            rng=rng,
            clock=clock,
            store=store,
            surroundings=surroundings,
            identity=identity,
            proxy=UpstreamProxy.from_config(config),
            dial_settings=dial_settings,
            replay=Replay(
                store.dial_parameters if store is not None else MemoryRecords(),
                dial_settings,
                rng,
                now=clock.time,
                network_id=surroundings.network_id,
                config_state=config_state(config),
            ),
            connected_reporter=connected_reporter,
            failed_tunnels=FailedTunnels(
                identity,
                store,
                clock,
                network_type=lambda: surroundings.network_type,
                last_connected=lambda: connected_reporter.last_connected,
            ),
        )
