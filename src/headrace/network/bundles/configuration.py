"""The configuration of clients of one campaign, under the names that clients know (operations spec §3.1)."""

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec

from headrace.base.errors import OperatorError
from headrace.network.book import View
from headrace.network.exports.classified import ENTRIES, MadeOf
from headrace.network.model import (
    Campaign,
    NetworkKey,
    NetworkSettings,
    PropagationChannel,
    Server,
    Sponsor,
)
from headrace.network.publish.sources.lists import COMPRESSED_NAME, in_bucket
from headrace.network.publish.sources.material import ListCopy, Material
from headrace.network.signing.kinds import Purpose
from headrace.network.signing.rotation import newest_copy, ring

__all__ = ["BundleRecord", "bundle_record", "embedded_servers", "newest"]

#: The folder of a bucket in which obfuscated lists are.
_OSL: Final = "osl"


class UrlRecord(msgspec.Struct):
    """A place to fetch from; the URL is in base64, so that it does not stand in plain sight."""

    URL: Annotated[str, MadeOf(NetworkSettings.public_urls, Campaign.bucket_id, Campaign.alternate_bucket_id)]
    SkipVerify: Annotated[bool, MadeOf()]
    OnlyAfterAttempts: Annotated[int, MadeOf()]


class BundleRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A bundle."""

    PropagationChannelId: Annotated[str, MadeOf(PropagationChannel.public_id)]
    SponsorId: Annotated[str, MadeOf(Sponsor.public_id)]
    EmbeddedServerEntryList: Annotated[list[str], MadeOf(ENTRIES)]
    RemoteServerListURLs: list[UrlRecord] = []
    ObfuscatedServerListRootURLs: list[UrlRecord] = []
    RemoteServerListSignaturePublicKey: Annotated[str, MadeOf(NetworkKey.public)] = ""
    ServerEntrySignaturePublicKey: Annotated[str, MadeOf(NetworkKey.public)] = ""
    ExchangeObfuscationKey: Annotated[str, MadeOf(NetworkKey.public)] = ""
    FeedbackEncryptionPublicKey: Annotated[str, MadeOf(NetworkKey.public)] = ""
    FeedbackUploadURLs: Annotated[list[dict[str, Any]], MadeOf(NetworkSettings.feedback_upload_urls)] = []


def bundle_record(
    material: Material, campaign: Campaign, servers: Sequence[Server] | None = None
) -> tuple[BundleRecord, dict[str, Any]]:
    """Return a campaign's bundle, and the network's own settings for clients, which are laid over it.

    `servers` are those whose entries are built in; the channel's usual ones unless given. Raises
    OperatorError.
    """
    view, copy = material.view, newest(material)
    if servers is None:
        servers = embedded_servers(material, campaign.channel)
    if not servers:
        raise OperatorError(
            f"no server is to be built into clients of {campaign.channel.name}: the network needs a permanent"
            " one that has passed its test"
        )
    record = BundleRecord(
        PropagationChannelId=campaign.channel.public_id,
        SponsorId=campaign.sponsor.public_id,
        EmbeddedServerEntryList=[copy.entries.encoded(server) for server in servers],
        RemoteServerListURLs=_urls(view, campaign, in_bucket("", copy, COMPRESSED_NAME)),
        ObfuscatedServerListRootURLs=_urls(view, campaign, in_bucket("", copy, _OSL)),
        RemoteServerListSignaturePublicKey=copy.packages.public.to_text(),
        ServerEntrySignaturePublicKey=copy.entry_signer.public.to_text() if copy.entry_signer else "",
        ExchangeObfuscationKey=_public(view, Purpose.EXCHANGE),
        FeedbackEncryptionPublicKey=_public(view, Purpose.FEEDBACK),
        FeedbackUploadURLs=material.settings.feedback_upload_urls,
    )
    return record, material.settings.client_settings


def embedded_servers(material: Material, channel: PropagationChannel) -> list[Server]:
    """Return the servers that are built into clients of a channel."""
    return material.lists.embedded(channel, material.settings.embedded_sample)


def newest(material: Material) -> ListCopy:
    """Return the copy of lists, and the keys, that new clients are given. Raises OperatorError."""
    keys = material.view.all(NetworkKey)
    lists, entries = ring(keys, Purpose.LISTS), ring(keys, Purpose.ENTRIES)
    folder = newest_copy(*filter(None, (lists, entries))).folder
    return next(copy for copy in reversed(material.copies) if copy.folder == folder)


def _urls(view: View, campaign: Campaign, name: str) -> list[UrlRecord]:
    """Return where an object is to be had: in the campaign's bucket, then, after a failure, in the other."""
    found = []
    for after, bucket in enumerate(filter(None, (campaign.bucket_id, campaign.alternate_bucket_id))):
        for url in view.settings.public_urls:
            whole = f"{url.rstrip('/')}/{bucket}/{name}"
            found.append(UrlRecord(base64.b64encode(whole.encode()).decode(), False, after))
    return found


def _public(view: View, purpose: Purpose) -> str:
    keys = view.keys(purpose)
    return keys[-1].public if keys else ""
