"""Servers: proxy identities on a host (operations spec §1.2–1.4)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, relationship

from headrace.network.model.base import Audience, Entity, column
from headrace.network.model.channels import PropagationChannel
from headrace.network.model.hosts import Host, Status

__all__ = ["Server"]

_SEEN = (Audience.CLIENT, Audience.HOST, Audience.DEVOPS)


class Server(Entity):
    """One identity: its addresses, ports and capabilities, its channel, and by what it reaches users."""

    __tablename__ = "servers"

    pseudonym: Mapped[str] = column(
        Audience.STATISTICS, Audience.FEEDBACK, Audience.DEVOPS, unique=True
    )  #: three nonsense words; never used again
    status: Mapped[str] = column(Audience.DEVOPS, Audience.STATISTICS, default=Status.NEW)
    host_id: Mapped[UUID] = column(refers="hosts.id", shapes_entries=True)
    channel_id: Mapped[UUID] = column(refers="channels.id")
    address: Mapped[str] = column(*_SEEN, Audience.STATISTICS, Audience.FEEDBACK, index=True)  #: public
    egress_address: Mapped[str] = column(Audience.HOST, default="")  #: where it differs
    internal_address: Mapped[str] = column(Audience.HOST, Audience.DEVOPS, default="")
    tag: Mapped[str] = column(Audience.CLIENT, Audience.HOST, Audience.PSINET, default="")
    configuration_version: Mapped[int] = column(Audience.CLIENT, Audience.HOST, default=0)
    capabilities: Mapped[list[str]] = column(*_SEEN, default=list)  #: as operators know them
    created_at: Mapped[datetime] = column()
    removed_at: Mapped[datetime | None] = column(default=None)
    tested_at: Mapped[datetime | None] = column(default=None)  #: when a client last went through; gate

    is_permanent: Mapped[bool] = column(Audience.STATISTICS, default=False)
    is_embedded: Mapped[bool] = column(Audience.STATISTICS, default=False)
    discovery_start: Mapped[datetime | None] = column(Audience.PSINET, default=None)
    discovery_end: Mapped[datetime | None] = column(Audience.PSINET, default=None)
    osl_start: Mapped[datetime | None] = column(default=None)
    osl_end: Mapped[datetime | None] = column(default=None)
    osl_ids: Mapped[list[str]] = column(default=list)

    ssh_port: Mapped[int] = column(*_SEEN, default=0)
    ossh_ports: Mapped[list[int]] = column(*_SEEN, default=list)  #: the last is the one that is announced
    quic_port: Mapped[int] = column(*_SEEN, default=0)
    tls_port: Mapped[int] = column(*_SEEN, default=0)
    shadowsocks_port: Mapped[int] = column(*_SEEN, default=0)
    tapdance_port: Mapped[int] = column(*_SEEN, default=0)
    conjure_port: Mapped[int] = column(*_SEEN, default=0)
    inproxy_ssh_port: Mapped[int] = column(*_SEEN, default=0)
    inproxy_ossh_port: Mapped[int] = column(*_SEEN, default=0)
    inproxy_quic_port: Mapped[int] = column(*_SEEN, default=0)
    ssh_host_key: Mapped[str] = column(Audience.CLIENT, Audience.HOST, default="")  #: base64, the blob

    replaces: Mapped[str] = column(default="")  #: role whose older servers step back when it has been tested
    recipe: Mapped[str] = column(Audience.STATISTICS, default="")  #: what its ports were drawn by
    recipe_seed: Mapped[str] = column(default="")
    rate_limit: Mapped[str] = column(Audience.DEVOPS, default="")  #: new connections, for the firewall

    host: Mapped[Host] = relationship(viewonly=True)
    channel: Mapped[PropagationChannel] = relationship(viewonly=True)

    __table_args__ = (
        CheckConstraint(f"status IN ({', '.join(repr(str(each)) for each in Status)})", "status"),
        CheckConstraint(
            "(discovery_start IS NULL) = (discovery_end IS NULL)"
            " AND (discovery_start IS NULL OR discovery_start < discovery_end)",
            "discovery_range",
        ),
        CheckConstraint(
            "(osl_start IS NULL) = (osl_end IS NULL) AND (osl_start IS NULL OR osl_start < osl_end)",
            "osl_range",
        ),
        CheckConstraint("configuration_version >= 0", "configuration_version"),
    )

    @property
    def published(self) -> bool:
        """True when users may be told of it: at work, and seen working from outside."""
        return (
            self.status == Status.ACTIVE and self.host.status == Status.ACTIVE and self.tested_at is not None
        )
