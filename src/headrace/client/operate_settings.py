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
        """Return what a configuration asks for."""
        return cls(periodic=not config.disable_periodic_ssh_keep_alive)
