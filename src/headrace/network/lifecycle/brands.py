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

__all__ = ["add_campaign", "add_channel", "add_client_version", "add_provider", "add_sponsor", "check_bucket"]

E = TypeVar("E", bound=Entity)

#: The highest that databases, and clients in other languages, count to.
_MOST_VERSION: Final = 0x7FFFFFFF
#: A path under which objects lie: it leads nowhere else.
_BUCKET: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_PUBLIC_ID: Final = re.compile(r"[0-9A-Fa-f]{16}")
_MOST_NAME: Final = 64


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
    if change.settings.default_sponsor_id is None:
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
    if bucket:
        check_bucket(bucket)
    if account and not account.isprintable():
        raise OperatorError(f"{account!r} is no account: it is on one line")
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


def check_bucket(bucket: str) -> None:
    """Insist on a path that objects can lie below. Raises OperatorError."""
    if not _BUCKET.fullmatch(bucket):
        raise OperatorError(f"{bucket!r} is no bucket: use letters, digits and hyphens, with / between parts")


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
    if number > _MOST_VERSION:
        raise OperatorError(f"a version is a number up to {_MOST_VERSION}, not {number}")
    return change.add(ClientVersion(platform=platform, version=number, note=note, created_at=change.now))


def _added(change: Change, thing: E, name: str, names: Collection[str]) -> E:
    if name in names:
        raise OperatorError(f"there is a {thing.__tablename__.removesuffix('s')} {name!r} already")
    return change.add(thing)


def _name(name: str) -> str:
    if not 0 < len(name) <= _MOST_NAME or not name.isprintable() or name != name.strip():
        raise OperatorError(f"{name!r} is no name: use one to {_MOST_NAME} characters on one line")
    if _PUBLIC_ID.fullmatch(name):
        raise OperatorError(f"{name} looks like a public id, and would be taken for one: use another name")
    return name


def _published_id(rng: Rng) -> str:
    return rng.bytes(8).hex().upper()
