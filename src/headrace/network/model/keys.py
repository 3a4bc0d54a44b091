"""The network's own keys, public halves; private ones are secrets, or elsewhere (operations spec §1.5)."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped

from headrace.network.model.base import Audience, Entity, column

__all__ = ["NetworkKey"]


class NetworkKey(Entity):
    """A key for one purpose. Two of a purpose are active while one takes over from the other."""

    __tablename__ = "network_keys"

    purpose: Mapped[str] = column()
    name: Mapped[str] = column(default="")  #: which, where a purpose has many at once
    public: Mapped[str] = column(Audience.CLIENT, Audience.HOST, default="")  #: as clients are told of it
    key_id: Mapped[str] = column()
    offline: Mapped[bool] = column(default=False)  #: its private half is not here
    created_at: Mapped[datetime] = column()
    retired_at: Mapped[datetime | None] = column(default=None)

    __table_args__ = (UniqueConstraint("purpose", "key_id"),)
