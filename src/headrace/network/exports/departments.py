"""What the departments of an operator are given (operations spec §1.9): what its work needs, no more.

    statistics   servers by address and pseudonym, names of channels and sponsors, reading access to logs
    devops       access to hosts, ports and capabilities
    feedback     pseudonyms by address, names of channels and sponsors, public places
    mail         addresses that people write to, and what they are sent

Each is one file of JSON.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final

import msgspec

from headrace.network.book import View
from headrace.network.exports.classified import MadeOf, Secret
from headrace.network.model import (
    Audience,
    Campaign,
    Host,
    NetworkSettings,
    PropagationChannel,
    Provider,
    Server,
    Sponsor,
    Status,
)
from headrace.network.rendering.ports import protocol_ports

__all__ = [
    "RECORDS",
    "DevopsRecord",
    "FeedbackRecord",
    "MailRecord",
    "StatisticsRecord",
    "department_file",
]


class NameRecord(msgspec.Struct):
    """A channel by its public id."""

    id: Annotated[str, MadeOf(PropagationChannel.public_id)]
    name: Annotated[str, MadeOf(PropagationChannel.name)]


class SponsorNameRecord(msgspec.Struct):
    """A sponsor by its public id."""

    id: Annotated[str, MadeOf(Sponsor.public_id)]
    name: Annotated[str, MadeOf(Sponsor.name)]


class CountedServer(msgspec.Struct):
    """A server as statistics know it."""

    pseudonym: Annotated[str, MadeOf(Server.pseudonym)]
    address: Annotated[str, MadeOf(Server.address)]
    status: Annotated[str, MadeOf(Server.status)]
    host: Annotated[str, MadeOf(Host.name)]
    permanent: Annotated[bool, MadeOf(Server.is_permanent)]
    embedded: Annotated[bool, MadeOf(Server.is_embedded)]
    recipe: Annotated[str, MadeOf(Server.recipe)]


class LogHost(msgspec.Struct):
    """A host whose logs are read."""

    name: Annotated[str, MadeOf(Host.name)]
    region: Annotated[str, MadeOf(Host.region)]
    datacenter: Annotated[str, MadeOf(Host.datacenter)]
    provider: Annotated[str, MadeOf(Provider.name)]
    address: Annotated[str, MadeOf(Host.management_address)]
    port: Annotated[int, MadeOf(Host.management_port)]
    host_key: Annotated[str, MadeOf(Host.management_host_key)]
    user: Annotated[str, MadeOf(Host.log_user)]
    credential: Annotated[str, MadeOf(Secret(Host, "log_credential"))]


class StatisticsRecord(msgspec.Struct):
    """For those who count."""

    channels: list[NameRecord]
    sponsors: list[SponsorNameRecord]
    servers: list[CountedServer]
    hosts: list[LogHost]


class ManagedServer(msgspec.Struct):
    """A server on a managed host."""

    pseudonym: Annotated[str, MadeOf(Server.pseudonym)]
    status: Annotated[str, MadeOf(Server.status)]
    address: Annotated[str, MadeOf(Server.address)]
    internal_address: Annotated[str, MadeOf(Server.internal_address)]
    capabilities: Annotated[list[str], MadeOf(Server.capabilities)]
    ports: Annotated[
        dict[str, int],
        MadeOf(
            Server.ssh_port,
            Server.tls_port,
            Server.quic_port,
            Server.shadowsocks_port,
            Server.tapdance_port,
            Server.conjure_port,
            Server.inproxy_ssh_port,
            Server.inproxy_ossh_port,
            Server.inproxy_quic_port,
            Host.meek_port,
        ),
    ]
    ossh_ports: Annotated[list[int], MadeOf(Server.ossh_ports)]
    rate_limit: Annotated[str, MadeOf(Server.rate_limit)]


class ManagedHost(msgspec.Struct):
    """A host, and how it is reached to be managed."""

    name: Annotated[str, MadeOf(Host.name)]
    status: Annotated[str, MadeOf(Host.status)]
    region: Annotated[str, MadeOf(Host.region)]
    datacenter: Annotated[str, MadeOf(Host.datacenter)]
    created_at: Annotated[str, MadeOf(Host.created_at)]
    deployment: Annotated[str, MadeOf(Host.deployment)]
    software: Annotated[str, MadeOf(Host.software)]
    address: Annotated[str, MadeOf(Host.management_address)]
    port: Annotated[int, MadeOf(Host.management_port)]
    user: Annotated[str, MadeOf(Host.management_user)]
    host_key: Annotated[str, MadeOf(Host.management_host_key)]
    credential: Annotated[str, MadeOf(Secret(Host, "management_credential"))]
    packet_manipulator: Annotated[bool, MadeOf(Host.packet_manipulator)]
    servers: list[ManagedServer]


class DevopsRecord(msgspec.Struct):
    """For those who deploy, patch and watch hosts."""

    hosts: list[ManagedHost]
    ssh_allow_list: Annotated[list[str], MadeOf(NetworkSettings.ssh_allow_list)]
    egress_rules: Annotated[list[str], MadeOf(NetworkSettings.egress_rules)]


class FeedbackRecord(msgspec.Struct):
    """For those who read what users report."""

    channels: list[NameRecord]
    sponsors: list[SponsorNameRecord]
    pseudonyms: Annotated[dict[str, str], MadeOf(Server.address, Server.pseudonym)]  #: by address
    buckets: Annotated[list[str], MadeOf(Campaign.bucket_id)]
    upload_urls: Annotated[list[dict[str, object]], MadeOf(NetworkSettings.feedback_upload_urls)]


class MailedCampaign(msgspec.Struct):
    """What is sent to those who write to an address."""

    account: Annotated[str, MadeOf(Campaign.account)]
    bucket: Annotated[str, MadeOf(Campaign.bucket_id)]
    languages: Annotated[list[str], MadeOf(Campaign.languages)]  #: none: all
    platforms: Annotated[list[str], MadeOf(Campaign.platforms)]  #: none: all


class MailRecord(msgspec.Struct):
    """For the responder."""

    sender: Annotated[str, MadeOf(NetworkSettings.responder_address)]
    campaigns: list[MailedCampaign]


#: The record of each department.
RECORDS: Final[Mapping[Audience, type[msgspec.Struct]]] = {
    Audience.STATISTICS: StatisticsRecord,
    Audience.DEVOPS: DevopsRecord,
    Audience.FEEDBACK: FeedbackRecord,
    Audience.MAIL: MailRecord,
}


def department_file(view: View, audience: Audience) -> bytes:
    """Return what a department is given. Raises KeyError for an audience that is none."""
    record = _MAKERS[audience](view)
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def _statistics(view: View) -> StatisticsRecord:
    hosts = view.all(Host)
    view.load_secrets(hosts)
    return StatisticsRecord(
        channels=_channels(view),
        sponsors=_sponsors(view),
        servers=[
            CountedServer(
                pseudonym=server.pseudonym,
                address=server.address,
                status=server.status,
                host=server.host.name,
                permanent=server.is_permanent,
                embedded=server.is_embedded,
                recipe=server.recipe,
            )
            for server in _servers(view)
        ],
        hosts=[
            LogHost(
                name=host.name,
                region=host.region,
                datacenter=host.datacenter,
                provider=host.provider.name,
                address=host.management_address,
                port=host.management_port,
                host_key=host.management_host_key,
                user=host.log_user,
                credential=view.secrets(host).get("log_credential", ""),
            )
            for host in _named(hosts)
            if Status(host.status).alive
        ],
    )


def _devops(view: View) -> DevopsRecord:
    servers: dict[str, list[Server]] = {}
    for server in _servers(view):
        if Status(server.status).alive:
            servers.setdefault(server.host.name, []).append(server)
    hosts = [host for host in _named(view.all(Host)) if Status(host.status).alive]
    view.load_secrets(hosts)
    settings = view.settings
    return DevopsRecord(
        hosts=[
            ManagedHost(
                name=host.name,
                status=host.status,
                region=host.region,
                datacenter=host.datacenter,
                created_at=host.created_at.isoformat(),
                deployment=host.deployment,
                software=host.software,
                address=host.management_address,
                port=host.management_port,
                user=host.management_user,
                host_key=host.management_host_key,
                credential=view.secrets(host).get("management_credential", ""),
                packet_manipulator=host.packet_manipulator,
                servers=[_managed(host, server) for server in servers.get(host.name, ())],
            )
            for host in hosts
        ],
        ssh_allow_list=settings.ssh_allow_list,
        egress_rules=settings.egress_rules,
    )


def _managed(host: Host, server: Server) -> ManagedServer:
    return ManagedServer(
        pseudonym=server.pseudonym,
        status=server.status,
        address=server.address,
        internal_address=server.internal_address,
        capabilities=server.capabilities,
        ports=protocol_ports(host, server),
        ossh_ports=server.ossh_ports,
        rate_limit=server.rate_limit,
    )


def _feedback(view: View) -> FeedbackRecord:
    return FeedbackRecord(
        channels=_channels(view),
        sponsors=_sponsors(view),
        # An address that was used again belongs to the server that has it now.
        pseudonyms={
            server.address: server.pseudonym
            for server in sorted(_servers(view), key=lambda server: Status(server.status).alive)
            if server.address
        },
        buckets=sorted(campaign.bucket_id for campaign in view.all(Campaign)),
        upload_urls=view.settings.feedback_upload_urls,
    )


def _mail(view: View) -> MailRecord:
    campaigns = sorted(view.all(Campaign), key=lambda campaign: campaign.bucket_id)
    return MailRecord(
        sender=view.settings.responder_address,
        campaigns=[
            MailedCampaign(campaign.account, campaign.bucket_id, campaign.languages, campaign.platforms)
            for campaign in campaigns
            if campaign.account
        ],
    )


_MAKERS: Final[Mapping[Audience, Callable[[View], msgspec.Struct]]] = {
    Audience.STATISTICS: _statistics,
    Audience.DEVOPS: _devops,
    Audience.FEEDBACK: _feedback,
    Audience.MAIL: _mail,
}


def _channels(view: View) -> list[NameRecord]:
    found = sorted(view.all(PropagationChannel), key=lambda channel: channel.public_id)
    return [NameRecord(channel.public_id, channel.name) for channel in found]


def _sponsors(view: View) -> list[SponsorNameRecord]:
    found = sorted(view.all(Sponsor), key=lambda sponsor: sponsor.public_id)
    return [SponsorNameRecord(sponsor.public_id, sponsor.name) for sponsor in found]


def _servers(view: View) -> list[Server]:
    return sorted(view.servers(), key=lambda server: server.pseudonym)


def _named(hosts: Sequence[Host]) -> list[Host]:
    return sorted(hosts, key=lambda host: host.name)
