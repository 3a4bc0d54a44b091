"""The psinet database: what a server tells clients of the network (server lists spec §5.4).

Sponsors with their home pages, newest versions of the client, which servers still exist, and those that
clients may be told of. It is an extract: it holds nothing that this server has no use for.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import quote_plus

import msgspec

from headrace.base.errors import DocumentError
from headrace.base.rng import Rng
from headrace.discovery.servers import DiscoveryServer
from headrace.documents.config_reader import convert_config, field_names, fold_deep, read_object
from headrace.documents.json_canonical import encode_canonical
from headrace.documents.server_entry import ServerEntry

__all__ = [
    "NO_PSINET",
    "PSINET_FIELDS",
    "TAGS_TRUSTED",
    "Audience",
    "Psinet",
    "platform_family",
    "read_psinet",
]

#: Seconds after which a file is too old to say that a server is no more: its copying may have failed.
TAGS_TRUSTED: Final = 48 * 3600.0

_MOBILE: Final = ("Android", "iOS")
_PLATFORMS: Final = (*_MOBILE, "Windows", "Other")
_ANYWHERE: Final = "None"
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")


class _Page(msgspec.Struct, frozen=True):
    region: str = ""  # again
    url: str = ""


class _Regex(msgspec.Struct, frozen=True):
    regex: str = ""
    replace: str = ""


class _Version(msgspec.Struct, frozen=True):
    version: str = ""


class _Server(msgspec.Struct, frozen=True):
    discovery_date_range: list[Annotated[datetime, msgspec.Meta(tz=True)]] = []
    encoded_server_entry: str = ""


_Pages = dict[str, list[_Page] | None]  # by country, "None" for any other
_Urls = dict[str, list[str] | None]  # by reason


class _Sponsor(msgspec.Struct, frozen=True):
    id: str = ""  # again
    home_pages: _Pages = {}
    mobile_home_pages: _Pages = {}
    alert_action_urls: _Urls = {}
    https_request_regexes: list[_Regex] | None = None


class _File(msgspec.Struct, frozen=True):
    sponsors: dict[str, _Sponsor | None] = {}
    client_versions: dict[str, list[_Version] | None] = {}  # by platform, ascending
    default_sponsor_id: str = ""
    default_alert_action_urls: _Urls = {}
    valid_server_entry_tags: dict[str, bool | None] = {}
    discovery_servers: list[_Server] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Whom a page is for, as far as it matters."""

    sponsor_id: str
    region: str = _ANYWHERE
    asn: str = _ANYWHERE
    device_region: str = _ANYWHERE  #: as the client says
    platform: str = "Other"  #: see `platform_family`
    mobile: bool = False

    @classmethod
    def of(cls, parameters: Mapping[str, object], region: str, asn: str) -> "Audience":
        """Return the audience that a client belongs to, by its checked parameters and where it is."""
        platform = platform_family(str(parameters.get("client_platform", "")))
        return cls(
            sponsor_id=str(parameters.get("sponsor_id", "")),
            region=region,
            asn=asn,
            device_region=str(parameters.get("device_region", _ANYWHERE)),
            platform=platform,
            mobile=platform in _MOBILE,
        )

    def address(self, urls: Iterable[str]) -> list[str]:
        """Return the URLs with their placeholders filled in, each kind once."""
        return [self._fill(url) for url in urls]

    def _fill(self, url: str) -> str:
        for name, value in (
            ("client_region", self.region),
            ("client_asn", self.asn),
            ("device_region", self.device_region),
            ("client_platform", self.platform.lower()),
        ):
            url = url.replace(f"{name}=XX", f"{name}={quote_plus(value, errors='replace')}", 1)
        return url


class Psinet:
    """A checked database; nothing in it changes."""

    __slots__ = ("_file", "_regexes", "discovery_servers", "modified", "unknown_fields")

    def __init__(
        self,
        file: _File,
        discovery_servers: tuple[DiscoveryServer, ...] = (),
        modified: float = math.inf,
        unknown_fields: Iterable[str] = (),
    ) -> None:
        self._file = file
        sponsors = file.sponsors.items()
        self._regexes = {name: _with_checksum(sponsor) for name, sponsor in sponsors if sponsor is not None}
        self.discovery_servers = discovery_servers  #: those that have a time, in the file's order
        self.modified = modified  #: when the file was written, seconds since 1970
        self.unknown_fields = list(unknown_fields)

    def home_pages(self, audience: Audience, rng: Rng) -> list[str]:
        """Return the pages to show, in random order."""
        sponsor = self._file.sponsors.get(self._known(audience.sponsor_id)) or _NOBODY
        pages = (audience.mobile and sponsor.mobile_home_pages) or sponsor.home_pages
        there = pages.get(audience.region) or pages.get(_ANYWHERE) or []
        return rng.shuffled(audience.address(page.url for page in there))

    def alert_urls(self, reason: str, audience: Audience) -> list[str]:
        """Return where a client finds out more about an alert."""
        sponsor = self._file.sponsors.get(audience.sponsor_id) or _NOBODY
        urls = sponsor.alert_action_urls.get(reason) or self._file.default_alert_action_urls.get(reason)
        return audience.address(urls or [])

    def upgrade(self, version: str, platform: str) -> str:
        """Return the newest version for a platform family; "" if `version` is as new."""
        newest = (self._file.client_versions.get(platform) or [_Version()])[-1].version
        numbers = [int(text) for text in (version, newest) if _INTEGER.fullmatch(text)]
        return newest if len(numbers) == 2 and numbers[0] < numbers[1] else ""

    def https_request_regexes(self, sponsor_id: str) -> tuple[list[dict[str, str]], bytes]:
        """Return by what a client sorts the bytes it reports, and the MD5 sum by which to know the list.

        The sum is empty where there is no sponsor.
        """
        return self._regexes.get(self._known(sponsor_id), ([], b""))

    def is_valid_tag(self, tag: str, now: float) -> bool:
        """Say whether there is such a server, for all that is known: an old file is not believed."""
        tags = self._file.valid_server_entry_tags
        return not tags or self.modified + TAGS_TRUSTED < now or bool(tags.get(tag))

    def oddities(self) -> Iterator[tuple[str, str]]:
        """Yield what is valid and hardly meant: where, and what to do about it."""
        default = self._file.default_sponsor_id
        if default and default not in self._file.sponsors:
            yield "default_sponsor_id", f"there is no sponsor {default}: no page is shown by default"
        for name in self._file.client_versions:
            if name not in _PLATFORMS:
                yield f"client_versions.{name}", f"is none of {', '.join(_PLATFORMS)}: nobody is told of it"
        for index, server in enumerate(self._file.discovery_servers):
            dates = server.discovery_date_range
            if len(dates) != 2 or dates[0] >= dates[1]:
                where = f"discovery_servers[{index}].discovery_date_range"
                yield where, "is never open: write two times, of which the first is the earlier"

    def _known(self, sponsor_id: str) -> str:
        return sponsor_id if sponsor_id in self._file.sponsors else self._file.default_sponsor_id


def _with_checksum(sponsor: _Sponsor) -> tuple[list[dict[str, str]], bytes]:
    regexes = sponsor.https_request_regexes
    members = None if regexes is None else [msgspec.structs.asdict(each) for each in regexes]
    return members or [], hashlib.md5(encode_canonical(members), usedforsecurity=False).digest()


def platform_family(client_platform: str) -> str:
    """Return Android, iOS, Windows or Other: clients say more than that of what they run on."""
    if "android" in client_platform.lower():
        return "Android"
    return next((name for name in ("iOS", "Windows") if client_platform.startswith(name)), "Other")


def read_psinet(data: bytes, file: str = "psinet database", modified: float = math.inf) -> Psinet:
    """Return the database in `data`, read from `file`, written when `modified`. Raises DocumentError."""
    known, unknown = fold_deep(read_object(data, file), _File)
    content = _convert(known, file)
    addresses: dict[str, int] = {}
    servers = []
    for index, server in enumerate(content.discovery_servers):
        where = f"{file}: discovery_servers[{index}]"
        try:
            address = ServerEntry.decode(server.encoded_server_entry).ip_address
        except DocumentError as error:
            raise DocumentError(f"{where}.encoded_server_entry: {error}") from error
        if not address:
            raise DocumentError(f"{where}.encoded_server_entry: the entry has no ipAddress")
        first = addresses.setdefault(address, index)
        if first != index:
            raise DocumentError(f"{where}: has the address of discovery_servers[{first}]: remove one of them")
        if len(server.discovery_date_range) == 2:  # any other is not to be told of at any time
            starts, ends = (time.timestamp() for time in server.discovery_date_range)
            servers.append(DiscoveryServer(starts, ends, address, server.encoded_server_entry))
    return Psinet(content, tuple(servers), modified, unknown)


def _convert(known: object, file: str) -> _File:
    try:
        return convert_config(known, _File, file)
    except DocumentError:
        sponsors = known.get("sponsors") if isinstance(known, dict) else None
        for name, sponsor in (sponsors if isinstance(sponsors, dict) else {}).items():
            if sponsor is not None:
                convert_config(sponsor, _Sponsor, f"{file}: sponsors.{name}")  # that says which of them it is
        raise


PSINET_FIELDS: Final = field_names(_File)
"""The names that fields have in the file."""

_NOBODY: Final = _Sponsor()

NO_PSINET: Final = Psinet(_File())
"""That of a server without a file."""
