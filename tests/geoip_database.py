"""GeoIP databases for tests: which networks are in which country, or any record at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

from headrace.server.geoip import GeoIP, Place

__all__ = ["Everywhere", "write_database"]


class Everywhere(GeoIP):
    """Knows but one place."""

    def __init__(self, country: str) -> None:
        super().__init__()
        self._place = Place(country)

    def country(self, address: str) -> str:
        return self._place.country

    def place(self, address: str) -> Place:
        return self._place


def write_database(path: Path, countries: Mapping[str, Any], *, version: Literal[4, 6] = 6) -> Path:
    """Write a database of `countries` by network, in the form that MaxMind's have; return its path.

    What is no text is the network's whole record.
    """
    writer = MMDBWriter(version, "Test-Country", ipv4_compatible=version == 6)
    for network, country in countries.items():
        record = {"country": {"iso_code": country}} if isinstance(country, str) else country
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path
