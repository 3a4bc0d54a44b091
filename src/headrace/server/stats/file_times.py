"""How old the files are that a server goes by."""

from collections.abc import Iterator
from pathlib import Path

from headrace.documents.server_config import ServerConfig

__all__ = ["file_times"]


def file_times(config: ServerConfig, directory: Path) -> dict[str, float]:
    """Return when each file was written that the configuration names, in seconds since 1970, by its field.

    Of several databases the oldest one counts. To be asked before they are read: a file that is replaced in
    between then seems older than it is, never newer.
    """
    times: dict[str, float] = {}
    for field, name in _files(config):
        try:
            written = (directory / name).stat().st_mtime
        except OSError:
            continue  # whoever reads it says what is wrong
        times[field] = min(written, times.get(field, written))
    return times


def _files(config: ServerConfig) -> Iterator[tuple[str, str]]:
    single = {
        "TrafficRulesFilename": config.traffic_rules_filename,
        "TacticsConfigFilename": config.tactics_config_filename,
        "OSLConfigFilename": config.osl_config_filename,
        "PsinetDatabaseFilename": config.psinet_database_filename,
        "BlocklistFilename": config.blocklist_filename,
    }
    yield from ((field, name) for field, name in single.items() if name)
    yield from (("GeoIPDatabaseFilenames", name) for name in config.geo_ip_database_filenames)
