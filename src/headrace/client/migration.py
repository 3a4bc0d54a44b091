"""Files of older programs, moved once to where they are kept today (client spec §6.1).

What has been fetched, or half of it, need not be fetched again. A file called `migration_complete` says that
it was done; so what the older program may write later stays where it is.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from headrace.client.data_directory import DataDirectory
from headrace.client.notices import Notices
from headrace.documents.client_config import ClientConfig

__all__ = ["MARKER", "migrate"]

MARKER: Final = "migration_complete"

#: After a download's name: nothing, or what there is of one that was broken off.
_SUFFIXES: Final = ("", ".part", ".part.etag")
_OBFUSCATED: Final = re.compile(r"osl-(registry(\.cached)?|[0-9a-f]{2,128})(\.part(\.etag)?)?")


def migrate(config: ClientConfig, directory: DataDirectory, notices: Notices) -> None:
    """Move what the configuration's Migrate fields name, unless that was done; failures are only told."""
    marker = directory.path / MARKER
    named = (
        config.migrate_data_store_directory,
        config.migrate_remote_server_list_download_filename,
        config.migrate_obfuscated_server_list_download_directory,
        config.migrate_upgrade_download_filename,
    )
    if not any(named) or marker.exists():
        return
    if config.migrate_data_store_directory:
        notices.info("what an older program keeps in MigrateDataStoreDirectory is not read, and stays there")
    moved = 0
    for source, destination in _moves(config, directory):
        try:
            moved += _move(source, destination)
        except OSError as error:
            notices.warning(f"{source.name} of an older program could not be moved: {error.strerror}")
    notices.info(f"{moved} files of an older program were moved to the data directory")
    try:
        marker.touch(mode=0o600)
    except OSError as error:
        notices.warning(f"{MARKER} could not be written: {error.strerror}")


def _moves(config: ClientConfig, directory: DataDirectory) -> Iterator[tuple[Path, Path]]:
    """Yield each file that is to be moved, if it is there, and where to."""
    for name, destination in (
        (config.migrate_remote_server_list_download_filename, directory.remote_server_list),
        (config.migrate_upgrade_download_filename, directory.upgrade),
    ):
        if name:
            for suffix in _SUFFIXES:
                yield Path(name + suffix), destination.with_name(destination.name + suffix)
    if folder := config.migrate_obfuscated_server_list_download_directory:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return
        for name in names:
            if _OBFUSCATED.fullmatch(name):
                yield Path(folder, name), directory.obfuscated(name)


def _move(source: Path, destination: Path) -> bool:
    """Move a file, if there is one and nothing where it goes; return whether it was. Raises OSError."""
    if source.is_symlink() or not source.is_file() or destination.exists():
        return False
    try:
        source.rename(destination)
    except OSError:  # on another file system, for instance
        unfinished = destination.with_name(f"{destination.name}.moving")
        try:
            shutil.copyfile(source, unfinished)
            unfinished.replace(destination)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        source.unlink()
    destination.chmod(0o600)
    return True
