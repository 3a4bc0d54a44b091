"""Propagation channels: the routes by which clients and lists reach users (operations spec §1.2)."""

from typing import Final

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped

from headrace.network.model.base import Audience, Entity, column

__all__ = ["TESTING", "PropagationChannel"]

#: Name of the channel whose traffic is no part of the statistics.
TESTING: Final = "Testing"

_ROLES = ("propagation", "discovery", "osl")


class PropagationChannel(Entity):
    """A route. Its servers are its own, so that whose servers are blocked tells which route has leaked."""

    __tablename__ = "channels"

    public_id: Mapped[str] = column(
        Audience.CLIENT, Audience.HOST, Audience.STATISTICS, Audience.FEEDBACK, unique=True
    )  #: 16 upper-case hexadecimal digits
    name: Mapped[str] = column(Audience.STATISTICS, Audience.FEEDBACK, unique=True)
    mechanisms: Mapped[list[str]] = column(default=list)
    propagator_managed_upgrades: Mapped[bool] = column(default=False)
    new_propagation: Mapped[int] = column(default=0)  #: servers that a replacement makes, for each role
    new_discovery: Mapped[int] = column(default=0)
    new_osl: Mapped[int] = column(default=0)
    max_propagation_age: Mapped[int] = column(default=0)  #: days before pruning; 0: never
    max_discovery_age: Mapped[int] = column(default=0)
    max_osl_age: Mapped[int] = column(default=0)

    __table_args__ = tuple(
        CheckConstraint(f"{name} >= 0", name)
        for role in _ROLES
        for name in (f"new_{role}", f"max_{role}_age")
    )
