"""Channels, sponsors, campaigns, providers and client versions: added, with their ids drawn."""

import re
from collections.abc import Collection
from typing import Any, Final, TypeVar

from headrace.base.errors import OperatorError
from headrace.base.rng import Rng
from headrace.network.book import Change
from headrace.network.book.identifiers import bucket_id, public_id, unused
from headrace.network.model import (
    LOCAL,
    Campaign,
    ClientVersion,
    Entity,
    PropagationChannel,
    Provider,
    Sponsor,
)

__all__ = ["add_campaign", "add_channel", "add_client_version", "add_provider", "add_sponsor"]

E = TypeVar("E", bound=Entity)

_NAME: Final = re.compile(r"[^\s\x00-\x1f](?:[^\x00-\x1f]{0,62}[^\s\x00-\x1f])?")


def add_channel(change: Change, name: str, **fields: Any) -> PropagationChannel:
    """Add a propagation channel. Raises OperatorError."""
    used = {channel.public_id for channel in change.all(PropagationChannel)}
    taken = {each.name for each in change.all(PropagationChannel)}
    channel = PropagationChannel(name=_name(name), public_id=unused(public_id, used, change.rng), **fields)
    return _added(change, channel, name, taken)


def add_sponsor(change: Change, name: str, **fields: Any) -> Sponsor:
    """Add a sponsor; the first one is the default. Raises OperatorError."""
    others = change.all(Sponsor)
    used = {sponsor.public_id for sponsor in others}
    sponsor = Sponsor(name=_name(name), public_id=unused(public_id, used, change.rng), **fields)
    _added(change, sponsor, name, {each.name for each in others})
    if not others:
        change.settings.default_sponsor_id = sponsor.id
    return sponsor


def add_campaign(
    change: Change,
    sponsor: Sponsor,
    channel: PropagationChannel,
    *,
    mechanism: str = "",
    account: str = "",
    bucket: str = "",
    **fields: Any,
) -> Campaign:
    """Add a campaign, in a bucket of its own whose path is drawn unless given. Raises OperatorError."""
    campaigns = change.all(Campaign)
    same = (sponsor.id, channel.id, mechanism, account)
    if any((each.sponsor_id, each.channel_id, each.mechanism, each.account) == same for each in campaigns):
        raise OperatorError(f"{sponsor.name} has this campaign on {channel.name} already")
    used = {each.bucket_id for each in campaigns} | {each.alternate_bucket_id for each in campaigns}
    if bucket in used - {""}:
        raise OperatorError(f"the bucket {bucket} belongs to another campaign")
    return change.add(
        Campaign(
            sponsor_id=sponsor.id,
            channel_id=channel.id,
            mechanism=mechanism,
            account=account,
            bucket_id=bucket or unused(bucket_id, used, change.rng),
            **fields,
        )
    )


def add_provider(change: Change, name: str, *, driver: str = LOCAL, **fields: Any) -> Provider:
    """Add an account at a provider, which clients know by an id that says nothing. Raises OperatorError."""
    others = change.all(Provider)
    used = {each.published_id for each in others}
    provider = Provider(
        name=_name(name), driver=driver, published_id=unused(_published_id, used, change.rng), **fields
    )
    return _added(change, provider, name, {each.name for each in others})


def add_client_version(
    change: Change, platform: str, version: int | None = None, note: str = ""
) -> ClientVersion:
    """Add a version of a platform's client, the next one unless given. Raises OperatorError."""
    newest = max((each.version for each in change.all(ClientVersion) if each.platform == platform), default=0)
    number = newest + 1 if version is None else version
    if number <= newest:
        raise OperatorError(f"the newest version for {platform} is {newest}: {number} is not above it")
    return change.add(ClientVersion(platform=platform, version=number, note=note, created_at=change.now))


def _added(change: Change, thing: E, name: str, names: Collection[str]) -> E:
    if name in names:
        raise OperatorError(f"there is a {type(thing).__name__.lower()} {name!r} already")
    return change.add(thing)


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise OperatorError(f"{name!r} is no name: use one to 64 characters on one line")
    return name


def _published_id(rng: Rng) -> str:
    return rng.bytes(8).hex().upper()
