"""What sponsors show and count, checked before it is taken: URLs, regions, rules, banners, reasons."""

import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from headrace.base.errors import OperatorError
from headrace.network.model import EVERYWHERE

__all__ = ["check_banner", "check_region", "check_rule", "check_url", "with_page", "without_page"]

_REGION: Final = re.compile(r"[A-Z]{2}")
_PLACEHOLDERS: Final = ("client_region", "client_asn", "device_region", "client_platform")
_PLACEHOLDER: Final = re.compile(r"([a-z_]+)=XX")
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_MOST_BANNER: Final = 1 << 20
_MOST_SIDE: Final = 4096


def check_url(url: str) -> str:
    """Return a URL that a client can open. Raises OperatorError."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or not url.isprintable() or " " in url:
        raise OperatorError(
            f"{url!r} is not the URL of a page: it begins with https:// and the name of a site"
        )
    for match in _PLACEHOLDER.finditer(parts.query):
        if match[1] not in _PLACEHOLDERS:
            known = ", ".join(f"{name}=XX" for name in _PLACEHOLDERS)
            raise OperatorError(f"nothing is filled in for {match[0]} in {url}; what is: {known}")
    return url


def check_region(region: str) -> str:
    """Return a region that pages can be for. Raises OperatorError."""
    if region != EVERYWHERE and not _REGION.fullmatch(region):
        raise OperatorError(
            f"{region!r} is not a region: give a country code like DE, or {EVERYWHERE} for all others"
        )
    return region


def with_page(pages: Mapping[str, Any], region: str, url: str) -> dict[str, Any]:
    """Return landing pages with one more. Raises OperatorError."""
    there: Sequence[str] = pages.get(check_region(region), ())
    return {**pages, region: [*dict.fromkeys([*there, check_url(url)])]}


def without_page(pages: Mapping[str, Any], region: str, url: str | None = None) -> dict[str, Any]:
    """Return landing pages without one of a region, or without any of it. Raises OperatorError."""
    there: Sequence[str] = pages.get(check_region(region), ())
    if not there or (url is not None and url not in there):
        raise OperatorError(f"there is no such page for {region}")
    left = [each for each in there if url is not None and each != url]
    return {
        **{name: urls for name, urls in pages.items() if name != region},
        **({region: left} if left else {}),
    }


def check_rule(regex: str, replace: str) -> dict[str, str]:
    """Return a rule by which destinations are counted under a label. Raises OperatorError."""
    try:
        re.compile(regex)
    except re.error as error:
        raise OperatorError(f"{regex!r} is not a regular expression: {error}") from None
    if not replace:
        raise OperatorError("a rule needs the label that destinations are counted under")
    return {"regex": regex, "replace": replace}


def check_banner(data: bytes) -> bytes:
    """Return a banner, which has to be a PNG of a sensible size. Raises OperatorError."""
    if data[:8] != _PNG or data[12:16] != b"IHDR" or not data.rstrip().endswith(b"IEND\xaeB`\x82"):
        raise OperatorError("a banner has to be a whole PNG image")
    width, height = struct.unpack(">II", data[16:24])
    if not (0 < width <= _MOST_SIDE and 0 < height <= _MOST_SIDE) or len(data) > _MOST_BANNER:
        raise OperatorError(f"this banner is too large: up to {_MOST_SIDE} by {_MOST_SIDE} pixels and 1 MB")
    return data
