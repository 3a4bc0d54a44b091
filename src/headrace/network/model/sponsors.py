"""Sponsors, whose pages clients show, and campaigns: where the files of one sponsor and channel are."""

from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, relationship

from headrace.network.model.base import Audience, Entity, column
from headrace.network.model.channels import PropagationChannel

__all__ = ["EVERYWHERE", "Campaign", "Sponsor"]

#: The region of pages for all regions that have none of their own.
EVERYWHERE = "None"


class Sponsor(Entity):
    """A partner whose brand and landing pages a client carries (operations spec §1.2)."""

    __tablename__ = "sponsors"

    public_id: Mapped[str] = column(
        Audience.CLIENT, Audience.PSINET, Audience.STATISTICS, Audience.FEEDBACK, unique=True
    )
    name: Mapped[str] = column(Audience.STATISTICS, Audience.FEEDBACK, unique=True)
    client_banner: Mapped[bytes | None] = column(Audience.CLIENT, type_=LargeBinary)  #: PNG
    website_banner: Mapped[bytes | None] = column(Audience.CLIENT, type_=LargeBinary)
    website_banner_link: Mapped[str] = column(Audience.CLIENT, default="")
    home_pages: Mapped[dict[str, Any]] = column(Audience.PSINET, default=dict)  #: region -> URLs
    mobile_home_pages: Mapped[dict[str, Any]] = column(Audience.PSINET, default=dict)
    alert_action_urls: Mapped[dict[str, Any]] = column(Audience.PSINET, default=dict)  #: reason -> URLs
    page_view_rules: Mapped[list[dict[str, Any]]] = column(default=list)  #: {regex, replace}
    https_request_rules: Mapped[list[dict[str, Any]]] = column(Audience.PSINET, default=list)
    use_data_from_id: Mapped[UUID | None] = column(refers="sponsors.id", default=None)
    #: whose pages, banners and rules this one shows instead of its own


class Campaign(Entity):
    """Sponsor × channel × mechanism × account, and where its public files live.

    A bucket's path says nothing about another's. It always holds a valid OSL registry, an empty one at least.
    """

    __tablename__ = "campaigns"

    sponsor_id: Mapped[UUID] = column(refers="sponsors.id")
    channel_id: Mapped[UUID] = column(refers="channels.id")
    mechanism: Mapped[str] = column(default="")
    account: Mapped[str] = column(Audience.MAIL, default="")  #: the address that is written to, for one
    bucket_id: Mapped[str] = column(Audience.CLIENT, Audience.MAIL, Audience.FEEDBACK, unique=True)
    alternate_bucket_id: Mapped[str] = column(Audience.CLIENT, default="")
    languages: Mapped[list[str]] = column(Audience.MAIL, default=list)  #: none: all
    platforms: Mapped[list[str]] = column(Audience.MAIL, default=list)  #: none: all
    custom_download_site: Mapped[bool] = column(default=False)

    sponsor: Mapped[Sponsor] = relationship(viewonly=True)
    channel: Mapped[PropagationChannel] = relationship(viewonly=True)

    __table_args__ = (UniqueConstraint("sponsor_id", "channel_id", "mechanism", "account"),)
