"""Providers, and the hosts that run at them (operations spec §1.2)."""

import enum
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, relationship

from headrace.network.model.base import Audience, Entity, column

__all__ = ["LOCAL", "Host", "Provider", "ProviderRank", "Status"]

#: The deployment of a host that is this very machine: nobody connects to it to manage it.
LOCAL = "local"


class Status(enum.StrEnum):
    """Where a host or server is in its life (operations spec §1.7)."""

    NEW = "new"
    INSTALLED = "installed"
    ACTIVE = "active"
    PAUSED = "paused"
    DRAINING = "draining"
    REMOVING = "removing"
    GONE = "gone"

    @property
    def alive(self) -> bool:
        """True while there is something that can be reached, or could be again."""
        return self not in (Status.REMOVING, Status.GONE)


class Provider(Entity):
    """An account at a hosting company. Its credentials are secrets."""

    __tablename__ = "providers"

    name: Mapped[str] = column(Audience.STATISTICS, unique=True)
    driver: Mapped[str] = column(default=LOCAL)
    published_id: Mapped[str] = column(Audience.CLIENT, unique=True)  #: opaque, 16 hexadecimal digits
    image: Mapped[str] = column(default="")
    plans: Mapped[list[str]] = column(default=list)
    regions: Mapped[list[str]] = column(default=list)
    ssh_port: Mapped[int] = column(default=22)
    weight: Mapped[int] = column(default=1)  #: chance of a new host being here, against the other providers

    __table_args__ = (CheckConstraint("weight >= 0", "weight"),)


class ProviderRank(Entity):
    """A channel's own weight for a provider."""

    __tablename__ = "provider_ranks"

    provider_id: Mapped[UUID] = column(refers="providers.id")
    channel_id: Mapped[UUID] = column(refers="channels.id")
    weight: Mapped[int] = column(default=1)

    __table_args__ = (UniqueConstraint("provider_id", "channel_id"), CheckConstraint("weight >= 0", "weight"))


class Host(Entity):
    """One machine, how it is managed, and what its servers share."""

    __tablename__ = "hosts"

    name: Mapped[str] = column(Audience.HOST, Audience.DEVOPS, Audience.STATISTICS, unique=True)
    status: Mapped[str] = column(Audience.DEVOPS, default=Status.NEW)
    provider_id: Mapped[UUID] = column(refers="providers.id", shapes_entries=True)
    machine_id: Mapped[str] = column(default="")  #: the provider's name for it
    datacenter: Mapped[str] = column(Audience.STATISTICS, Audience.DEVOPS, default="")
    region: Mapped[str] = column(
        Audience.CLIENT, Audience.HOST, Audience.STATISTICS, Audience.DEVOPS, default=""
    )
    created_at: Mapped[datetime] = column(Audience.DEVOPS)
    removed_at: Mapped[datetime | None] = column(default=None)
    deployment: Mapped[str] = column(Audience.DEVOPS, default="native")  #: native, container, local
    software: Mapped[str] = column(Audience.DEVOPS, default="")  #: the server program and its version

    management_address: Mapped[str] = column(Audience.DEVOPS, Audience.STATISTICS, default="")
    management_port: Mapped[int] = column(Audience.DEVOPS, Audience.STATISTICS, default=22)
    management_user: Mapped[str] = column(Audience.DEVOPS, default="")
    log_user: Mapped[str] = column(Audience.STATISTICS, default="")
    management_host_key: Mapped[str] = column(Audience.DEVOPS, Audience.STATISTICS, default="")  #: pinned

    meek_port: Mapped[int] = column(Audience.CLIENT, Audience.HOST, Audience.DEVOPS, default=0)
    meek_cookie_public_key: Mapped[str] = column(Audience.CLIENT, Audience.HOST, default="")
    fronting_domain: Mapped[str] = column(Audience.CLIENT, Audience.HOST, default="")
    fronting_host: Mapped[str] = column(Audience.CLIENT, Audience.HOST, default="")
    fronting_hosts: Mapped[list[str]] = column(Audience.CLIENT, default=list)  #: alternates
    fronting_addresses: Mapped[list[str]] = column(Audience.CLIENT, default=list)
    fronting_addresses_regex: Mapped[str] = column(Audience.CLIENT, default="")
    fronting_disable_sni: Mapped[bool] = column(Audience.CLIENT, default=False)
    fronting_provider_id: Mapped[str] = column(Audience.CLIENT, default="")  #: opaque, as a provider's
    passthrough_address: Mapped[str] = column(Audience.HOST, shapes_entries=True, default="")
    passthrough_version: Mapped[int] = column(Audience.CLIENT, Audience.HOST, default=2)
    gquic: Mapped[bool] = column(Audience.CLIENT, Audience.HOST, default=False)
    limit_quic_versions: Mapped[list[str]] = column(Audience.CLIENT, Audience.HOST, default=list)
    packet_manipulator: Mapped[bool] = column(Audience.HOST, Audience.DEVOPS, default=False)
    tactics_request_public_key: Mapped[str] = column(Audience.CLIENT, Audience.HOST, default="")
    inproxy_session_public_key: Mapped[str] = column(Audience.CLIENT, Audience.HOST, default="")
    is_inproxy: Mapped[bool] = column(Audience.HOST, default=False)
    settings: Mapped[dict[str, Any]] = column(Audience.HOST, default=dict)  #: over the network's own

    provider: Mapped[Provider] = relationship(viewonly=True)

    __table_args__ = (
        CheckConstraint("status <> 'active' OR length(region) = 2", "active_has_region"),
        CheckConstraint(
            "status IN ('new', 'removing', 'gone') OR deployment = 'local' OR management_host_key <> ''",
            "host_key_is_pinned",
        ),
        CheckConstraint(f"status IN ({', '.join(repr(str(each)) for each in Status)})", "status"),
    )
