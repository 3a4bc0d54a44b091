"""How a tunnel in use is watched: every figure in one place (client spec §1.2, §1.13).

Times are seconds; those called timeouts are for a network of usual speed, and longer on slow ones.
"""

from dataclasses import dataclass

from headrace.documents.client_config import ClientConfig

__all__ = ["OperateSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperateSettings:
    """What decides when a tunnel is asked whether it still works, and for how long an answer is awaited."""

    tick: float = 1.0  #: between looks at what has passed
    totals_period: float = 300.0  #: between tellings of all that has passed so far

    periodic: bool = True  #: whether to send keep-alives without a reason
    keepalive_period: tuple[float, float] = (
        60.0,
        120.0,
    )  #: least and most between them, drawn each time
    keepalive_idle: float = 10.0  #: only if the server was not heard for so long
    keepalive_timeout: float = 30.0
    probe_idle: float = 10.0  #: a failure is followed by a probe only if the server was not heard for so long
    probe_timeout: float = 5.0
    resume_idle: float = 1.0  #: the same, after the machine has slept
    resume_timeout: float = 2.5
    resume_limit: float = 121.0  #: no server waits longer for a machine that sleeps
    max_padding: int = 256  #: most random bytes in a keep-alive
    network_poll: float = 0.5  #: between looks at whether there is a network, while an answer is awaited
    reset_probability: float = 0.0  #: that a tunnel which dies costs its server what worked with it

    proven_after: float = 1.0  #: a tunnel has proved itself when it lasted so long
    proven_sent: int = 0  #: and so many bytes went up
    proven_received: int = 0  #: and down

    @classmethod
    def from_config(cls, config: ClientConfig) -> "OperateSettings":
        """Return what a configuration asks for; what it leaves open is as here."""
        least, most = cls().keepalive_period
        reset = config.ssh_keep_alive_reset_on_failure_probability
        after = config.replay_target_tunnel_duration_seconds
        return cls(
            periodic=not config.disable_periodic_ssh_keep_alive,
            keepalive_period=(
                _seconds(config.ssh_keep_alive_period_min_milliseconds, least),
                _seconds(config.ssh_keep_alive_period_max_milliseconds, most),
            ),
            keepalive_idle=_seconds(
                config.ssh_keep_alive_periodic_inactive_period_milliseconds, cls().keepalive_idle
            ),
            keepalive_timeout=_seconds(
                config.ssh_keep_alive_periodic_timeout_milliseconds, cls().keepalive_timeout
            ),
            probe_idle=_seconds(config.ssh_keep_alive_probe_inactive_period_milliseconds, cls().probe_idle),
            probe_timeout=_seconds(config.ssh_keep_alive_probe_timeout_milliseconds, cls().probe_timeout),
            reset_probability=cls().reset_probability if reset is None else reset,
            proven_after=cls().proven_after if after is None else after,
            proven_sent=config.replay_target_upstream_bytes,
            proven_received=config.replay_target_downstream_bytes,
        )


def _seconds(milliseconds: int | None, otherwise: float) -> float:
    return otherwise if milliseconds is None else milliseconds / 1000
