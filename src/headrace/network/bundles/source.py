"""The bundles of all campaigns, for publication: one for each bucket, where builds are made from them."""

from collections.abc import Iterator
from functools import partial
from typing import Final

import msgspec

from headrace.base.errors import HeadraceError
from headrace.network.bundles.checks import encode_bundle, verify_bundle
from headrace.network.bundles.configuration import bundle_record, embedded_servers
from headrace.network.model import Audience, Campaign
from headrace.network.publish.contents import Content, Key, Parts, unmakeable
from headrace.network.publish.kinds import Kind
from headrace.network.publish.places import BUNDLES
from headrace.network.publish.sources import Source
from headrace.network.publish.sources.lists import copy_parts, of_channel, server_version
from headrace.network.publish.sources.material import Material
from headrace.network.publish.stores.stored import StoredObject
from headrace.network.signing.kinds import Purpose

__all__ = ["BUNDLE_FILE", "SOURCE", "bundle"]

BUNDLE_FILE: Final = "bundle.json"
"""The name of a bundle, in a folder of its campaign's."""


def bundle(material: Material, campaign: Campaign) -> bytes:
    """Return the bundle of a campaign, verified. Raises OperatorError, DocumentError."""
    record, over = bundle_record(material, campaign)
    data = encode_bundle({**msgspec.to_builtins(record), **over})
    verify_bundle(data)
    return data


def _contents(material: Material) -> Iterator[Content]:
    if not material.campaigns:
        return
    try:
        keys = copy_parts(material.copies)
    except HeadraceError as error:
        for campaign in material.campaigns:
            yield unmakeable(_key(campaign), error)
        return
    keys["other keys"] = material.keys_of(Purpose.EXCHANGE, Purpose.FEEDBACK)
    versions = {server.id: server_version(material, server) for server in material.servers}
    settings = material.version_for(Audience.CLIENT, material.settings)
    for channel, campaigns in of_channel(material.campaigns):
        servers = embedded_servers(material, channel)
        common = keys | {f"server {server.pseudonym}": versions[server.id] for server in servers}
        for campaign in campaigns:
            seen = material.version_for(Audience.CLIENT, campaign, campaign.sponsor, channel)
            parts = Parts(common | {"settings for clients": settings, "campaign": seen})
            yield Content(_key(campaign), parts, partial(_render, material, campaign))


def _render(material: Material, campaign: Campaign) -> Iterator[StoredObject]:
    yield StoredObject(f"{campaign.bucket_id}/{BUNDLE_FILE}", bundle(material, campaign))


def _key(campaign: Campaign) -> Key:
    return Key(Kind.BUNDLE, campaign.bucket_id, BUNDLES)


SOURCE: Final = Source(frozenset({Kind.BUNDLE}), _contents)
"""Where bundles come from, for publications."""
