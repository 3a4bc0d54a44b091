"""What every server is told of the network (operations spec §1.9); names are those that servers read.

It says nothing of hosts, channels or campaigns, of names and banners, and of servers that nobody is told of
now or soon it says only that they exist.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec

from headrace.discovery.extract import pool_of
from headrace.network.book import View
from headrace.network.exports.classified import ENTRIES, MadeOf
from headrace.network.model import ClientVersion, NetworkSettings, Server, Sponsor, Status
from headrace.network.rendering.entries import EntryRenderer
from headrace.network.strategy.subset import discovery_servers

__all__ = ["PsinetRecord", "psinet_file"]


class VersionRecord(msgspec.Struct):
    """A version of the client."""

    version: Annotated[str, MadeOf(ClientVersion.version)]


class PageRecord(msgspec.Struct):
    """A landing page."""

    region: Annotated[str, MadeOf(Sponsor.home_pages, Sponsor.mobile_home_pages)]
    url: Annotated[str, MadeOf(Sponsor.home_pages, Sponsor.mobile_home_pages)]


class RuleRecord(msgspec.Struct):
    """Which destinations are counted under which label."""

    regex: Annotated[str, MadeOf(Sponsor.https_request_rules, NetworkSettings.https_request_rules)]
    replace: Annotated[str, MadeOf(Sponsor.https_request_rules, NetworkSettings.https_request_rules)]


class SponsorRecord(msgspec.Struct):
    """A sponsor, with what it borrows from another."""

    id: Annotated[str, MadeOf(Sponsor.public_id)]
    home_pages: dict[str, list[PageRecord]]
    mobile_home_pages: dict[str, list[PageRecord]]
    alert_action_urls: Annotated[dict[str, list[str]], MadeOf(Sponsor.alert_action_urls)]
    https_request_regexes: list[RuleRecord]


class DiscoveryRecord(msgspec.Struct):
    """A server that clients may be told of."""

    discovery_date_range: Annotated[list[str], MadeOf(Server.discovery_start, Server.discovery_end)]
    encoded_server_entry: Annotated[str, MadeOf(ENTRIES)]


class PsinetRecord(msgspec.Struct):
    """The file."""

    client_versions: dict[str, list[VersionRecord]]
    sponsors: dict[str, SponsorRecord]
    default_sponsor_id: Annotated[str, MadeOf(Sponsor.public_id)]
    default_alert_action_urls: Annotated[
        dict[str, list[str]], MadeOf(NetworkSettings.default_alert_action_urls)
    ]
    valid_server_entry_tags: Annotated[dict[str, bool], MadeOf(Server.tag)]
    discovery_servers: list[DiscoveryRecord]


def psinet_file(view: View, servers: Sequence[Server], entries: EntryRenderer, pool: int = 0) -> bytes:
    """Return the file for the hosts of a pool; `servers` are all that are alive."""
    settings = view.settings
    sponsors = {sponsor.id: sponsor for sponsor in view.all(Sponsor)}
    default = sponsors.get(settings.default_sponsor_id) if settings.default_sponsor_id else None
    record = PsinetRecord(
        client_versions=_versions(view),
        sponsors={
            sponsor.public_id: _sponsor(
                sponsor,
                sponsors.get(sponsor.use_data_from_id) if sponsor.use_data_from_id else None,
                settings,
            )
            for sponsor in sorted(sponsors.values(), key=lambda sponsor: sponsor.public_id)
        },
        default_sponsor_id=default.public_id if default is not None else "",
        default_alert_action_urls=settings.default_alert_action_urls,
        valid_server_entry_tags={
            server.tag: True
            for server in sorted(servers, key=lambda server: server.tag)
            if server.tag and Status(server.status).alive
        },
        discovery_servers=[_discovery(server, entries) for server in _told(view, servers, pool)],
    )
    return msgspec.json.encode(record) + b"\n"


def _told(view: View, servers: Sequence[Server], pool: int) -> list[Server]:
    settings = view.settings
    horizon = timedelta(hours=settings.discovery_horizon_hours)
    told = discovery_servers(servers, view.now, horizon)
    if settings.discovery_pools > 1:
        told = [server for server in told if pool_of(server.address, settings.discovery_pools) == pool]
    return sorted(told, key=lambda server: server.tag)


def _versions(view: View) -> dict[str, list[VersionRecord]]:
    found: dict[str, list[VersionRecord]] = {}
    for each in sorted(view.all(ClientVersion), key=lambda each: (each.platform, each.version)):
        found.setdefault(each.platform, []).append(VersionRecord(str(each.version)))
    return found


def _sponsor(sponsor: Sponsor, lender: Sponsor | None, settings: NetworkSettings) -> SponsorRecord:
    shown = lender or sponsor
    rules = [*settings.https_request_rules, *shown.https_request_rules]
    return SponsorRecord(
        id=sponsor.public_id,
        home_pages=_pages(shown.home_pages),
        mobile_home_pages=_pages(shown.mobile_home_pages),
        alert_action_urls=shown.alert_action_urls,
        https_request_regexes=[RuleRecord(rule["regex"], rule["replace"]) for rule in rules],
    )


def _pages(pages: Mapping[str, Any]) -> dict[str, list[PageRecord]]:
    return {region: [PageRecord(region, url) for url in urls] for region, urls in sorted(pages.items())}


def _discovery(server: Server, entries: EntryRenderer) -> DiscoveryRecord:
    assert server.discovery_start is not None and server.discovery_end is not None
    return DiscoveryRecord(
        [_rfc_3339(server.discovery_start), _rfc_3339(server.discovery_end)], entries.encoded(server)
    )


def _rfc_3339(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
