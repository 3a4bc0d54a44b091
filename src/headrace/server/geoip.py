"""Where addresses are, by databases in MaxMind's format (GeoIPDatabaseFilenames).

Databases are mapped into memory, each from a copy without a name: whoever writes over the file does not pull
it from under a running server. A look-up costs some five microseconds for each database.
"""

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from headrace.base.errors import DocumentError
from headrace.documents.geoip_record import PARTS, read_part

if TYPE_CHECKING:
    import maxminddb

__all__ = ["NOWHERE", "NO_COUNTRIES", "UNKNOWN", "GeoIP", "Place"]

#: What no database knows of an address.
UNKNOWN: Final = "None"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is, as far as the databases know; each part is UNKNOWN otherwise."""

    country: str = UNKNOWN  #: two capital letters
    city: str = UNKNOWN
    isp: str = UNKNOWN
    asn: str = UNKNOWN  #: digits
    aso: str = UNKNOWN  #: the autonomous system's organisation


NOWHERE: Final = Place()


@dataclass(frozen=True, slots=True)
class _Database:
    reader: "maxminddb.Reader"
    version: tuple[Path, int, int, int]  #: the file it was read from, and what changes when that does


class GeoIP:
    """Asks its databases in turn; for each part of a place the first that knows it is believed."""

    def __init__(self, databases: Sequence[_Database] = ()) -> None:
        self._databases = databases

    @classmethod
    def load(cls, paths: Iterable[Path], before: "GeoIP | None" = None) -> Self:
        """Open these files, but for those that `before` has and that did not change since.

        Raises DocumentError naming the file that cannot be used.
        """
        known = {database.version: database for database in before._databases} if before else {}
        databases = []
        for path in paths:
            try:
                stat = path.stat()
                version = (path, stat.st_ino, stat.st_size, stat.st_mtime_ns)
                databases.append(known.get(version) or _Database(_open(path), version))
            except OSError as error:
                raise DocumentError(
                    f"GeoIPDatabaseFilenames: {path} cannot be read, or not be copied to "
                    f"{tempfile.gettempdir()}: {error.strerror}"
                ) from error
        return cls(databases)

    def country(self, address: str) -> str:
        """Return the country of an IP address as two capital letters, or UNKNOWN."""
        return self._find(address, "country").get("country", UNKNOWN)

    def asn(self, address: str) -> str:
        """Return the number of the autonomous system that an IP address belongs to, or UNKNOWN."""
        return self._find(address, "asn").get("asn", UNKNOWN)

    def place(self, address: str) -> Place:
        """Return where an IP address is."""
        return Place(**self._find(address, *PARTS)) if self._databases else NOWHERE

    def _find(self, address: str, *parts: str) -> dict[str, str]:
        """Return what is known of these parts."""
        found: dict[str, str] = {}
        for database in self._databases:
            try:
                record = database.reader.get(address)
            except (ValueError, RuntimeError):  # not its kind of address, or a record that is damaged
                continue
            for part in parts:
                if part not in found and (known := read_part(record, PARTS[part])) is not None:
                    found[part] = known
            if len(found) == len(parts):
                break
        return found


#: What a server without a database knows.
NO_COUNTRIES: Final = GeoIP()


def _open(path: Path) -> "maxminddb.Reader":
    """Raises OSError or DocumentError."""
    import maxminddb  # slow to import, and few servers' clients ask for what needs it

    with path.open("rb") as file, tempfile.NamedTemporaryFile(prefix="headrace-") as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        try:
            return maxminddb.open_database(copy.name)
        except (maxminddb.InvalidDatabaseError, ValueError) as error:
            raise DocumentError(
                f"GeoIPDatabaseFilenames: {path} is no database in MaxMind's format (.mmdb)"
            ) from error
