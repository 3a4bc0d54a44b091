"""What a record of a GeoIP database says: MaxMind's and DB-IP's are nested, IPinfo's are flat.

{"country": {"iso_code": "NL"}, "city": {"names": {"en": "Delft"}}}
{"autonomous_system_number": 64496, "autonomous_system_organization": "Example", "isp": "Example"}
{"country_code": "NL", "city": "Delft", "asn": "AS64496", "as_name": "Example"}
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

__all__ = ["PARTS", "Part", "read_part"]

_Path = tuple[str, ...]


class Part(NamedTuple):
    """One thing that records say: where they have it, and what is made of what is there."""

    paths: tuple[_Path, ...]
    read: Callable[[object], str | None]


def read_part(record: object, part: Part) -> str | None:
    """Return what the record says, None if it does not. The record may be anything at all."""
    for path in part.paths:
        value = record
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if (known := part.read(value)) is not None:
            return known
    return None


def _code(value: object) -> str | None:
    text = _text(value) or ""
    return text if len(text) == 2 and text.isascii() and text.isalpha() and text.isupper() else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> str | None:
    digits = str(value).removeprefix("AS") if isinstance(value, int | str) else ""
    return digits if digits.isascii() and digits.isdigit() else None


PARTS: Final[Mapping[str, Part]] = {
    "country": Part((("country", "iso_code"), ("country_code",), ("country",)), _code),
    "city": Part((("city", "names", "en"), ("city",)), _text),
    "isp": Part((("isp",), ("traits", "isp")), _text),
    "asn": Part((("autonomous_system_number",), ("traits", "autonomous_system_number"), ("asn",)), _number),
    "aso": Part(
        (
            *(("autonomous_system_organization",), ("traits", "autonomous_system_organization")),
            *(("as_name",), ("name",)),
        ),
        _text,
    ),
}
"""Under the names they have in `headrace.server.geoip.Place`."""
