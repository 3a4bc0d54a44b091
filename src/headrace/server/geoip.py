"""Countries of addresses, by databases in MaxMind's format (GeoIPDatabaseFilenames).

Databases are mapped into memory, each from a copy without a name: whoever writes over the file does not pull
it from under a running server. A look-up costs some ten microseconds.
"""

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from headrace.base.errors import DocumentError

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
    """Asks its databases in turn; the first that knows an address's country is believed."""

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
        for database in self._databases:
            try:
                code = _code(database.reader.get(address))
            except (ValueError, RuntimeError):  # not its kind of address, or a record that is damaged
                continue
            if code is not None:
                return code
        return UNKNOWN

    def place(self, address: str) -> Place:
        """Return where an IP address is."""
        return Place(country=self.country(address))


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


def _code(record: object) -> str | None:
    """Return the country's code in a record of one of the common forms."""
    country = record.get("country") if isinstance(record, Mapping) else None
    code = country.get("iso_code") if isinstance(country, Mapping) else country
    known = isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()
    return str(code) if known else None
