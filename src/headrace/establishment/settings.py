"""How eagerly servers are dialled: how many at once, how long each, when to give up (client spec §1.2)."""

from dataclasses import dataclass, field
from typing import Self

from headrace.documents.client_config import ClientConfig
from headrace.establishment.policy import Collect, FirstReady, SelectionPolicy

__all__ = ["EstablishmentSettings"]

#: Tunnels at once at most, whatever is configured.
MOST_TUNNELS = 32
#: Seconds between rounds, whatever is configured: with nobody to dial there would be one after the other.
SHORTEST_PAUSE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class EstablishmentSettings:
    """Seconds where not said otherwise."""

    workers: int = 10  #: dials at once
    pool_size: int = 1  #: tunnels at once
    policy: SelectionPolicy = field(default_factory=FirstReady)
    stagger: float = 0.0  #: between the starts of two dials
    work_time: float = 60.0  #: after which it takes long: a round ends, and more servers are wanted
    pause: float = 2.0  #: between rounds
    jitter: float = 0.1  #: share by which pauses and stagger vary either way
    patience: float = 4.0  #: for a sign of life in the first round; so much more in each later one
    handshake_hold: float = 2.0  #: for a handshake, until others are dialled and activated beside it
    connect_timeout: float = 20.0  #: for a whole dial, and the most that patience grows to
    give_up: float = 300.0  #: for the first tunnel of a run; 0 is never
    connectivity_poll: float = 1.0  #: between looks at whether the network is back

    @classmethod
    def from_config(cls, config: ClientConfig) -> Self:
        """Return what a configuration asks for."""
        defaults = cls()
        scale = config.network_latency_multiplier or 1.0
        grace = config.establish_tunnel_server_affinity_grace_period_milliseconds
        first_ready = FirstReady(head_start=(1.0 if grace is None else grace / 1000) * scale)
        workers = config.connection_worker_pool_size or defaults.workers
        if config.connection_worker_pool_max_size:
            workers = min(workers, config.connection_worker_pool_max_size)
        pool_size = min(config.tunnel_pool_size or 1, MOST_TUNNELS)
        if config.target_server_entry:
            workers = pool_size = 1
        pause = config.establish_tunnel_pause_period_seconds
        work_time = config.establish_tunnel_work_time_seconds
        give_up = config.establish_tunnel_timeout_seconds
        return cls(
            workers=workers,
            pool_size=pool_size,
            policy=Collect() if config.establish_tunnel_selection_policy == "collect" else first_ready,
            stagger=config.stagger_connection_workers_milliseconds / 1000,
            work_time=defaults.work_time if work_time is None else work_time,
            pause=defaults.pause if pause is None else max(pause, SHORTEST_PAUSE),
            handshake_hold=defaults.handshake_hold * scale,
            give_up=defaults.give_up if give_up is None else give_up,
        )

    def patience_in(self, number: int) -> float:
        """Return how long a server may stay silent in round `number`, counted from 0.

        Where most are blocked, most dials end by this. Whoever is only slow is waited for in a later round.
        """
        return min(self.patience * (number + 1), self.connect_timeout)
