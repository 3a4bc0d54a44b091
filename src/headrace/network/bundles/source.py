"""The bundles of all campaigns, for publication: a folder for each bucket, from which users are served.

<bucket>/bundle.json                 the bundle
<bucket>/link.txt                    a link with as many of its servers as a QR code holds
<bucket>/headrace-<channel>.pyz      a client with the bundle built in, where clients are wanted, too
"""

import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Final

import msgspec

from headrace import __version__
from headrace.base.errors import HeadraceError, OperatorError
from headrace.network.bundles.archive import Base, make_archive
from headrace.network.bundles.checks import encode_bundle, verify_bundle
from headrace.network.bundles.configuration import bundle_record, embedded_servers
from headrace.network.bundles.sharing import fitting, share
from headrace.network.exports.forbidden import leaks
from headrace.network.model import Audience, Campaign, NetworkKey
from headrace.network.publish.contents import Content, Key, Parts, unmakeable
from headrace.network.publish.kinds import Kind
from headrace.network.publish.places import BUNDLES
from headrace.network.publish.sources import Source
from headrace.network.publish.sources.lists import copy_parts, of_channel, server_version
from headrace.network.publish.sources.material import Material
from headrace.network.publish.stores.stored import StoredObject
from headrace.network.signing.kinds import Purpose

__all__ = ["BUNDLE_FILE", "LINK_FILE", "SOURCE", "archive_name", "bundle", "bundle_source"]

BUNDLE_FILE: Final = "bundle.json"
"""The name of a bundle, in a folder of its campaign's."""
LINK_FILE: Final = "link.txt"
"""The name of a file with a link, beside it."""

#: Shorter ones are found in other texts by chance.
_LEAST_SECRET: Final = 8


def bundle(material: Material, campaign: Campaign) -> bytes:
    """Return the bundle of a campaign, verified. Raises OperatorError, DocumentError."""
    record, over = bundle_record(material, campaign)
    _insist_on_no_secret(material)
    data = encode_bundle({**msgspec.to_builtins(record), **over})
    verify_bundle(data)
    return data


def archive_name(channel: str) -> str:
    """Return the name of the file that runs, for clients of the channel with this name."""
    slug = re.sub(r"[^a-z0-9]+", "-", channel.lower()).strip("-") or "client"
    return f"headrace-{slug}.pyz"


def bundle_source(base: Callable[[], Base] | None = None) -> Source:
    """Return where bundles come from, for publications.

    With `base`, there are clients in one file, too: it is called once, when the first of them is made.
    """
    return Source(frozenset({Kind.BUNDLE}), partial(_contents, base=cache(base) if base else None))


def _contents(material: Material, base: Callable[[], Base] | None) -> Iterator[Content]:
    if not material.campaigns:
        return
    try:
        keys = copy_parts(material.copies)
    except HeadraceError as error:
        for campaign in material.campaigns:
            yield unmakeable(_key(campaign), error)
        return
    keys["other keys"] = material.keys_of(Purpose.EXCHANGE, Purpose.FEEDBACK)
    if base is not None:
        keys["client"] = __version__
    versions = {server.id: server_version(material, server) for server in material.servers}
    settings = material.version_for(Audience.CLIENT, material.settings)
    for channel, campaigns in of_channel(material.campaigns):
        servers = embedded_servers(material, channel)
        if not servers:
            continue  # nobody can start with nothing: there is no client for this channel yet
        common = keys | {f"server {server.pseudonym}": versions[server.id] for server in servers}
        for campaign in campaigns:
            seen = material.version_for(Audience.CLIENT, campaign, campaign.sponsor, channel)
            parts = Parts(common | {"settings for clients": settings, "campaign": seen})
            yield Content(_key(campaign), parts, partial(_render, material, campaign, base))


def _render(
    material: Material, campaign: Campaign, base: Callable[[], Base] | None
) -> Iterator[StoredObject]:
    data = bundle(material, campaign)
    yield StoredObject(f"{campaign.bucket_id}/{BUNDLE_FILE}", data)
    yield StoredObject(f"{campaign.bucket_id}/{LINK_FILE}", _link(data).encode() + b"\n")
    if base is not None:
        name = archive_name(campaign.channel.name)
        yield StoredObject(f"{campaign.bucket_id}/{name}", make_archive(base(), data))


def _link(data: bytes) -> str:
    try:
        return fitting(data).link
    except OperatorError:
        return share(data, servers=1).link


def _insist_on_no_secret(material: Material) -> None:
    """Insist that operators have not written a secret of the network where users can read it."""
    view, settings = material.view, material.settings
    known = dict.fromkeys(view.secrets(settings).values(), "a secret of the settings")
    for key in view.all(NetworkKey):
        known |= dict.fromkeys(view.secrets(key).values(), f"the {key.purpose} key")
    known = {value: what for value, what in known.items() if len(value) >= _LEAST_SECRET}
    written = (settings.client_settings, settings.feedback_upload_urls)
    if found := leaks(msgspec.json.encode(written), known):
        raise OperatorError(f"the settings for clients hold {found[0]}: take it out, and replace it")


def _key(campaign: Campaign) -> Key:
    return Key(Kind.BUNDLE, campaign.bucket_id, BUNDLES)


SOURCE: Final = bundle_source()
"""Where bundles come from, without clients: these have megabytes each, and differ in the bundle only."""
