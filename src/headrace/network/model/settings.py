"""What holds for the network as a whole, and the versions of the client."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped

from headrace.network.model.base import Audience, Entity, column

__all__ = ["ClientVersion", "NetworkSettings"]


class NetworkSettings(Entity):
    """The one row of settings (operations spec §1.2)."""

    __tablename__ = "settings"

    network_name: Mapped[str] = column()
    production: Mapped[bool] = column(default=False)
    default_sponsor_id: Mapped[UUID | None] = column(refers="sponsors.id", default=None)
    default_alert_action_urls: Mapped[dict[str, Any]] = column(Audience.PSINET, default=dict)
    https_request_rules: Mapped[list[dict[str, Any]]] = column(Audience.PSINET, default=list)  #: before all
    traffic_rules: Mapped[dict[str, Any]] = column(Audience.HOST, default=dict)
    osl_schemes: Mapped[list[dict[str, Any]]] = column(Audience.HOST, default=list)  #: no master keys
    tactics: Mapped[dict[str, Any]] = column(Audience.HOST, default=dict)
    server_settings: Mapped[dict[str, Any]] = column(Audience.HOST, default=dict)  #: over each server's
    client_settings: Mapped[dict[str, Any]] = column(Audience.CLIENT, default=dict)  #: over each bundle's
    blocklist: Mapped[str] = column(Audience.HOST, default="")  #: CSV
    public_store: Mapped[str] = column(default="")  #: URL of the store that users fetch from
    public_urls: Mapped[list[str]] = column(Audience.CLIENT, default=list)  #: by which users reach it
    host_store: Mapped[str] = column(default="")  #: URL of the transport to hosts
    bundle_directory: Mapped[str] = column(default="")
    extract_directory: Mapped[str] = column(default="")  #: for departments
    discovery_horizon_hours: Mapped[int] = column(default=48)
    discovery_pools: Mapped[int] = column(default=1)
    list_sample: Mapped[int] = column(default=400)
    embedded_sample: Mapped[int] = column(default=400)
    ossh_ports: Mapped[list[int]] = column(default=list)
    ssh_allow_list: Mapped[list[str]] = column(Audience.DEVOPS, default=list)
    egress_rules: Mapped[list[str]] = column(Audience.DEVOPS, default=list)
    responder_address: Mapped[str] = column(Audience.MAIL, default="")
    feedback_upload_urls: Mapped[list[dict[str, Any]]] = column(
        Audience.CLIENT, Audience.FEEDBACK, default=list
    )
    retired_address_days: Mapped[int] = column(default=365)  #: how long a gone server's address is kept

    __table_args__ = (
        CheckConstraint("discovery_horizon_hours > 0", "horizon"),
        CheckConstraint("discovery_pools > 0", "pools"),
    )


class ClientVersion(Entity):
    """A version of a platform's client; each is above the ones before."""

    __tablename__ = "client_versions"

    platform: Mapped[str] = column(Audience.PSINET)
    version: Mapped[int] = column(Audience.PSINET)
    note: Mapped[str] = column(default="")
    created_at: Mapped[datetime] = column()

    __table_args__ = (UniqueConstraint("platform", "version"), CheckConstraint("version > 0", "version"))
